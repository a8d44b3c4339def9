import { Krafka, systemNetworkPorts } from '../../../lib/core/index.js';
import { seededRandom } from '../../../lib/core/support/index.js';
import { CLEAN, compareLedger, wholeTopic, writeLedger } from '../../support/producer-ledger.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { TroubleProxy } from '../../support/trouble-proxy.js';

const RECORDS = Number(process.env['LEDGER_RECORDS'] ?? 30_000);
const SEED = Number(process.env['LEDGER_SEED'] ?? 11);
const PARTITIONS = 6;

describe(`${RECORDS} numbered records through a proxy that cuts, delays and swallows answers (LEDGER_SEED=${SEED})`, () => {
  let cluster: TestCluster;
  let proxy: TroubleProxy;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster({ brokers: 3 });
    proxy = new TroubleProxy();
    krafka = new Krafka(
      { brokers: cluster.bootstrap, clientId: 'ledger', connection: cluster.connection },
      { ...systemNetworkPorts, dialer: proxy.dialer },
    );
  });
  afterAll(async () => {
    await krafka.close();
    await proxy.close();
    await cluster.close();
  });

  it(
    'are there exactly once and in order if they were acknowledged, and reported if they were not',
    async () => {
      const topic = await cluster.newTopic(PARTITIONS);
      const random = seededRandom(SEED);
      const next = (): number => random.next();
      const every = Math.max(500, Math.floor(RECORDS / 400));
      const written = await writeLedger(krafka, {
        topic,
        partitions: PARTITIONS,
        records: RECORDS,
        producer: {
          batchSize: 8_000,
          requestTimeoutMs: 2_000,
          deliveryTimeoutMs: 120_000,
          accumulator: { maxBlockMs: 120_000 },
        },
        trouble: async (sent) => {
          if (sent === 0 || sent % every !== 0) return;
          // What was sent since the last time has to be brought there by some connection.
          while (!proxy.strike(next)) await new Promise((resolve) => setTimeout(resolve, 5));
          if (random.next() < 0.3) {
            const broker = cluster.embedded;
            broker?.moveLeader(topic, sent % PARTITIONS, broker.nodeIds[Math.floor(next() * 3)] as number);
          }
          // Time for what was sent to be on its way when the next trouble comes.
          await new Promise((resolve) => setTimeout(resolve, 10));
        },
      });
      const found = await wholeTopic(cluster.krafka(), topic, PARTITIONS);
      expect(compareLedger(written, found, PARTITIONS)).toEqual(CLEAN);
      expect(written.refused.size).toBe(0);
      expect(Object.values(proxy.troubles).every((times) => times > 0)).toBe(true);
      expect(written.stats.retries).toBeGreaterThan(0);
    },
    120_000 + RECORDS,
  );
});
