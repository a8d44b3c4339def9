import { apis, Deadline, Krafka, systemClock, systemNetworkPorts } from '../../lib/core/index.js';
import { seededRandom } from '../../lib/core/support/index.js';
import { startKafka, type RealKafka } from '../../scripts/kafka/cluster.mjs';
import { copyExactlyOnce } from '../support/exactly-once.js';
import { CLEAN, compareLedger, wholeTopic, writeLedger } from '../support/producer-ledger.js';
import { TroubleProxy } from '../support/trouble-proxy.js';

const RECORDS = Number(process.env['LEDGER_RECORDS'] ?? 100_000);
const COPIES = Number(process.env['EXACTLY_ONCE_RECORDS'] ?? 10_000);
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
const PARTITIONS = 6;

/** Has another replica of a partition lead it: it becomes the preferred one, and is elected. */
async function moveLeader(krafka: Krafka, topic: string, partition: number, random: () => number): Promise<void> {
  const deadline = new Deadline(systemClock, 10_000, 'moveLeader');
  const connection = await krafka.cluster.controller({ deadline });
  const ids = [...krafka.cluster.metadata.brokers.keys()];
  const replicas = ids.toSorted((a, b) => a - b);
  for (let turns = Math.floor(random() * replicas.length); turns > 0; turns--)
    replicas.push(replicas.shift() as number);
  await connection.sendRequest(
    apis.AlterPartitionReassignments,
    { timeoutMs: 10_000, topics: [{ name: topic, partitions: [{ partitionIndex: partition, replicas }] }] },
    { deadline },
  );
  await connection.sendRequest(
    apis.ElectLeaders,
    { electionType: 0, topicPartitions: [{ topic, partitions: [partition] }], timeoutMs: 10_000 },
    { deadline },
  );
}

describe(`ledgers on three nodes (CHAOS_SEED=${SEED})`, () => {
  let kafka: RealKafka;
  let witness: Krafka;
  beforeAll(async () => {
    kafka = await startKafka({
      nodes: 3,
      heapMiB: 400,
      properties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500 },
    });
    witness = new Krafka({ brokers: kafka.bootstrap, clientId: 'witness' });
  }, 120_000);
  afterAll(async () => {
    await witness.close();
    await kafka.stop();
  });

  it(
    `${RECORDS} records through a proxy that cuts, delays and swallows answers, while leaders move and nodes die, are there exactly once if acknowledged, and reported if not`,
    async () => {
      const topic = 'ledger';
      const configs = { 'min.insync.replicas': '2' };
      await witness.admin().createTopics([{ name: topic, partitions: PARTITIONS, replicationFactor: 3, configs }]);
      const proxy = new TroubleProxy();
      const krafka = new Krafka(
        { brokers: kafka.bootstrap, clientId: 'ledger', connection: { connectionsPerBroker: 2 } },
        { ...systemNetworkPorts, dialer: proxy.dialer },
      );
      const random = seededRandom(SEED);
      const next = (): number => random.next();
      const ends: Promise<unknown>[] = [];
      let moves = 0;
      let dying: Promise<void> | undefined;
      const written = await writeLedger(krafka, {
        topic,
        partitions: PARTITIONS,
        records: RECORDS,
        producer: { requestTimeoutMs: 3_000, deliveryTimeoutMs: 20_000, accumulator: { maxBlockMs: 30_000 } },
        trouble: async (sent) => {
          if (sent % 2_000 === 0) proxy.strike(next);
          if (sent % 20_000 === 10_000) {
            const moving = moveLeader(witness, topic, sent % PARTITIONS, next).then(
              () => moves++,
              // The controller may be the node that is down.
              () => undefined,
            );
            ends.push(moving);
          }
          if (sent % 200_000 === 100_000) {
            await dying;
            const id = kafka.nodeIds[Math.floor(next() * 3)] as number;
            dying = kafka.stopNode(id, 'SIGKILL').then(() => kafka.startNode(id));
          }
        },
      });
      await Promise.all([...ends, dying]);
      const found = await wholeTopic(witness, topic, PARTITIONS);
      const { refused, stats } = written;
      console.log(
        `${RECORDS} sent, ${refused.size} refused (${[...new Set(refused.values())].join(', ')}), ${found.length} found, ${moves} leaders moved`,
        proxy.troubles,
        { retries: stats.retries, duplicates: stats.duplicates, epochBumps: stats.epochBumps },
      );
      expect(compareLedger(written, found, PARTITIONS)).toEqual(CLEAN);
      expect(found.length + refused.size).toBeGreaterThanOrEqual(RECORDS);
      expect(moves).toBeGreaterThan(0);
      await krafka.close();
      await proxy.close();
    },
    120_000 + RECORDS,
  );

  it(`${COPIES} records, consumed, transformed and produced, are read exactly once though members die in the middle of transactions`, async () => {
    const [source, target] = ['copy-in', 'copy-out'];
    const replicated = { partitions: PARTITIONS, replicationFactor: 3 };
    await witness.admin().createTopics([source, target].map((name) => ({ name, ...replicated })));
    const random = seededRandom(SEED);
    const { lost, duplicated, reordered, copied, failed } = await copyExactlyOnce({
      bootstrap: kafka.bootstrap,
      connection: {},
      witness,
      source,
      target,
      groupId: 'copiers',
      partitions: PARTITIONS,
      records: COPIES,
      members: 3,
      transactionTimeoutMs: 5_000,
      sessionTimeoutMs: 6_000,
      deaths: ['after-send', 'after-offsets', 'at-commit', 'at-commit', 'after-offsets'],
      strike: { everyMs: 200, random: () => random.next() },
    });
    console.log(`${COPIES} numbered, ${copied} copied, ${failed} transactions failed`);
    expect({ lost, duplicated, reordered }).toEqual({ lost: [], duplicated: [], reordered: [] });
  }, 300_000);
});
