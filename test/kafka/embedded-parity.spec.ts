import { EmbeddedBroker } from '../../lib/testing/index.js';
import { alterations, creations, deletions, metadataOf } from './parity/admin.js';
import { fetch, longPolls, offsets, sessions } from './parity/fetch.js';
import { classicGroups, consumerGroups, groupAdmin, staticMembers } from './parity/groups.js';
import { idempotence, produce } from './parity/produce.js';
import { Stage, type Scenario } from './parity/stage.js';
import {
  epochs,
  transactionalOffsets,
  transactionalOffsetsOfMembers,
  transactionsOfVersion1,
  transactionsOfVersion2,
} from './parity/transactions.js';

const brokers = process.env['KAFKA_BROKERS'] ?? '';
// The embedded broker is Kafka 4: an older one answers some of this in older ways.
const isKafka4 = (process.env['KAFKA_VERSION'] ?? '4').startsWith('4');
const compare = isKafka4 ? describe : describe.skip;

compare('the embedded broker answers as Kafka does, request by request', () => {
  let broker: EmbeddedBroker;
  beforeAll(async () => {
    if (brokers === '') throw new Error('KAFKA_BROKERS is not set: run this through `npm run test:kafka`');
    broker = await EmbeddedBroker.start();
  });
  afterAll(() => broker.close());

  it.each<[string, Scenario]>([
    ['to what is produced', produce],
    ['to idempotent producers', idempotence],
    ['to fetches', fetch],
    ['to fetch sessions', sessions],
    ['to long polls', longPolls],
    ['to looks for offsets', offsets],
    ['to topics that are made', creations],
    ['to topics that are deleted', deletions],
    ['to configurations that are altered', alterations],
    ['to who asks where things are', metadataOf],
    ['to classic groups', classicGroups],
    ['to static members', staticMembers],
    ['to what is asked of groups', groupAdmin],
    ['to groups of the new protocol', consumerGroups],
    ['to transactions of the first version', transactionsOfVersion1],
    ['to transactions of the second version', transactionsOfVersion2],
    ['to epochs', epochs],
    ['to offsets within transactions', transactionalOffsets],
    ['to offsets of members within transactions', transactionalOffsetsOfMembers],
  ])(
    '%s',
    async (_what, scenario) => {
      const [address = ''] = brokers.split(',');
      const expected = await Stage.play(address, scenario);
      expect(expected.length).toBeGreaterThan(2);
      expect(await Stage.play(broker.bootstrap, scenario)).toEqual(expected);
    },
    60_000,
  );
});
