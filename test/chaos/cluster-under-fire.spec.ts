import { Krafka, type Consumer } from '../../lib/core/index.js';
import { seededRandom } from '../../lib/core/support/index.js';
import { startKafka, type RealKafka } from '../../scripts/kafka/cluster.mjs';
import { auditLedger } from './ledger.js';
import { wholeTopic } from './whole-topic.js';

const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 40);
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
const PARTITIONS = 6;
const SOURCE = 'ledger-in';
const COPY = 'ledger-out';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Kills and revives, freezes and thaws one node after another, always leaving two of three alive. */
async function trouble(kafka: RealKafka, untilMs: number): Promise<string[]> {
  const random = seededRandom(SEED);
  const told: string[] = [];
  while (Date.now() < untilMs) {
    const id = kafka.nodeIds[Math.floor(random.next() * kafka.nodeIds.length)] as number;
    if (random.next() < 0.5) {
      const signal = random.next() < 0.5 ? 'SIGKILL' : 'SIGTERM';
      told.push(`${signal} node ${id}`);
      await kafka.stopNode(id, signal);
      await pause(1_000 + random.next() * 2_000);
      await kafka.startNode(id);
    } else {
      const frozenMs = 1_000 + random.next() * 4_000;
      told.push(`node ${id} frozen for ${Math.round(frozenMs)} ms`);
      const pid = kafka.pidOf(id) as number;
      process.kill(pid, 'SIGSTOP');
      await pause(frozenMs);
      process.kill(pid, 'SIGCONT');
    }
    await pause(2_000);
  }
  return told;
}

describe(`a ledger through three nodes under fire for ${SECONDS} s (CHAOS_SEED=${SEED})`, () => {
  let kafka: RealKafka;
  beforeAll(async () => void (kafka = await startKafka({ nodes: 3, heapMiB: 400 })), 120_000);
  afterAll(() => kafka.stop());

  it(
    'loses nothing acknowledged, writes nothing twice, and hands everything to the second group',
    async () => {
      const writer = new Krafka({ brokers: kafka.bootstrap, clientId: 'ledger-writer' });
      const copier = new Krafka({ brokers: kafka.bootstrap, clientId: 'ledger-copier' });
      await writer
        .admin()
        .createTopics([SOURCE, COPY].map((name) => ({ name, partitions: PARTITIONS, replicationFactor: 3 })));

      const acknowledged: number[] = [];
      const refused: string[] = [];
      const producer = writer.producer({ lingerMs: 2 });
      const copyProducer = copier.producer({ lingerMs: 0 });
      const members: Consumer[] = [1, 2].map(() =>
        copier.consumer({ groupId: 'ledger', topics: [SOURCE], fromBeginning: true, sessionTimeoutMs: 10_000 }),
      );
      let copied = 0;
      const running = members.map((member) =>
        member.run({
          eachRecord: async (record) => {
            await copyProducer.send({ topic: COPY, key: record.key, value: record.value });
            copied += 1;
          },
        }),
      );

      const untilMs = Date.now() + SECONDS * 1_000;
      let sent = 0;
      const sends = new Set<Promise<void>>();
      const writing = (async () => {
        while (Date.now() < untilMs + 2_000) {
          for (let index = 0; index < 8; index++) {
            const number = sent++;
            const send = producer
              .send({ topic: SOURCE, partition: number % PARTITIONS, key: `k${number % 100}`, value: String(number) })
              .then(
                () => void acknowledged.push(number),
                (error: unknown) => void refused.push(String(error)),
              )
              .finally(() => sends.delete(send));
            sends.add(send);
          }
          await pause(10);
        }
        await Promise.all(sends);
      })();
      const told = await trouble(kafka, untilMs);
      await writing;
      console.log(
        `${told.join('; ')}\n${sent} sent, ${acknowledged.length} acknowledged, ${refused.length} refused${refused[0] ? ` (first: ${refused[0]})` : ''}, ${copied} copied so far`,
      );

      const source = await wholeTopic(writer, SOURCE, PARTITIONS);
      const faults = auditLedger(acknowledged, source);
      expect(faults).toEqual({ lost: [], duplicated: [], reordered: [] });
      expect(acknowledged.length + refused.length).toBe(sent);
      expect(acknowledged.length).toBeGreaterThan(sent / 2);

      // The group goes on until its last record is copied: commits follow the work.
      while (copied < source.length) await pause(200);
      await Promise.all(members.map((member) => member.close()));
      await Promise.all(running);
      const copy = auditLedger(
        source.map((entry) => entry.number),
        await wholeTopic(copier, COPY, PARTITIONS),
      );
      expect(copy.lost).toEqual([]);

      await Promise.all([writer.close(), copier.close()]);
    },
    (SECONDS + 180) * 1_000,
  );
});
