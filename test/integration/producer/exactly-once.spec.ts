import { seededRandom } from '../../../lib/core/support/index.js';
import { copyExactlyOnce } from '../../support/exactly-once.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

const RECORDS = Number(process.env['EXACTLY_ONCE_RECORDS'] ?? 3_000);
const PARTITIONS = 4;

describe(`${RECORDS} numbered records, consumed, transformed and produced`, () => {
  let cluster: TestCluster;
  beforeAll(async () => void (cluster = await openTestCluster({ groupMinSessionTimeoutMs: 1_000 })));
  afterAll(() => cluster.close());

  it('are read exactly once by read_committed consumers, though members die in the middle of transactions', async () => {
    const random = seededRandom(5);
    const { lost, duplicated, reordered, copied } = await copyExactlyOnce({
      bootstrap: cluster.bootstrap,
      connection: cluster.connection,
      witness: cluster.krafka(),
      source: await cluster.newTopic(PARTITIONS),
      target: await cluster.newTopic(PARTITIONS),
      groupId: cluster.name('copiers'),
      partitions: PARTITIONS,
      records: RECORDS,
      members: 2,
      transactionTimeoutMs: cluster.kind === 'embedded' ? 1_500 : 5_000,
      sessionTimeoutMs: cluster.kind === 'embedded' ? 1_500 : 6_000,
      deaths: ['after-send', 'after-offsets', 'at-commit'],
      strike: { everyMs: 100, random: () => random.next() },
    });
    expect({ lost, duplicated, reordered }).toEqual({ lost: [], duplicated: [], reordered: [] });
    expect(copied).toBeGreaterThanOrEqual(RECORDS);
  }, 300_000);
});
