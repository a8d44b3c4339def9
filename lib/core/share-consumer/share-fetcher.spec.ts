import { FakeClock, settled } from '../consumer/spec-support/fake-clock.js';
import { fakePorts } from '../consumer/spec-support/ports.js';
import { ScriptedCluster, idOf, type BrokerRequest } from '../consumer/spec-support/scripted-cluster.js';
import { ERROR_CODES, type ErrorName } from '../protocol/index.js';
import { shareConsumerSettings } from './share-consumer-options.js';
import { ShareFetcher } from './share-fetcher.js';
import { fetchAnswer, fetched } from './spec-support/scripted-broker.js';

/** A fetcher of one partition, whose broker answers fetches as they come; the one after the last waits for ever. */
async function fetching(...answers: readonly object[]) {
  const clock = new FakeClock();
  const cluster = new ScriptedCluster();
  cluster.lead({ t: [1] });
  const seen: string[] = [];
  const left = [...answers];
  cluster.answer = () => left.shift() ?? new Promise(() => undefined);
  const connection = await cluster.connection(1, 'fetch:m');
  cluster.readyConnection = () => connection;
  const fetcher = new ShareFetcher({
    cluster,
    settings: shareConsumerSettings({ groupId: 'g', topics: ['t'] }),
    memberId: 'm',
    purpose: 'fetch:m',
    ports: fakePorts(clock),
    listener: {
      onAcquired: () => undefined,
      onAcknowledged: () => undefined,
      onAcknowledgeFailed: () => undefined,
      onLockExpired: () => undefined,
      onUnreadable: () => undefined,
      onSessionLost: () => undefined,
      onPartitionFailed: (_, error) => seen.push(`failed ${error.code}`),
      onFatal: (error) => seen.push(`fatal ${error.code}`),
    },
  });
  fetcher.wanted = true;
  fetcher.assign([{ topicId: idOf('t'), topic: 't', partition: 0 }]);
  await settled();
  return { clock, seen, fetches: () => cluster.requests('ShareFetch') };
}

const refusal = (error: ErrorName): object => ({
  ...fetchAnswer([]),
  responses: [{ topicId: idOf('t'), partitions: [fetched(0, { errorCode: ERROR_CODES[error] })] }],
});
const epoch = ({ body }: BrokerRequest): number => body.shareSessionEpoch;

describe('a fetcher of a share group', () => {
  it.each(['UNKNOWN_SERVER_ERROR', 'FENCED_STATE_EPOCH', 'NOT_LEADER_OR_FOLLOWER'] as const)(
    'reads a partition again soon that was refused with %s',
    async (error) => {
      const { clock, fetches, seen } = await fetching(refusal(error));
      expect(fetches()).toHaveLength(1);
      await clock.advance(1_000);
      expect([fetches().map(epoch), seen]).toEqual([[0, 1], []]);
    },
  );

  it('tells of a partition that it must not read', async () => {
    const { clock, fetches, seen } = await fetching(refusal('TOPIC_AUTHORIZATION_FAILED'));
    await clock.advance(1_000);
    expect([fetches().length, seen]).toEqual([1, ['failed TOPIC_AUTHORIZATION_FAILED']]);
  });

  it('takes what a broker can not explain for an accident, but not over and over', async () => {
    const accident = fetchAnswer([], { errorCode: ERROR_CODES.UNKNOWN_SERVER_ERROR });
    const accidents = Array.from({ length: 4 }, () => accident);
    const once = await fetching(...accidents);
    await once.clock.advance(10_000);
    expect([once.fetches().length, once.seen]).toEqual([5, []]);
    const often = await fetching(...accidents, accident);
    await often.clock.advance(10_000);
    expect(often.seen).toEqual(['fatal UNKNOWN_SERVER_ERROR']);
  });

  it('ends with a broker that refuses everything for good', async () => {
    const { seen } = await fetching(fetchAnswer([], { errorCode: ERROR_CODES.GROUP_AUTHORIZATION_FAILED }));
    expect(seen).toEqual(['fatal GROUP_AUTHORIZATION_FAILED']);
  });
});
