import { Krafka, type ConsumerOptions } from '../../lib/core/index.js';
import { seededRandom } from '../../lib/core/support/index.js';
import { startKafka, type RealKafka } from '../../scripts/kafka/cluster.mjs';
import { LedgerGroup } from './ledger-group.js';
import { auditLedger } from './ledger.js';
import { wholeTopic, type DatedEntry } from './whole-topic.js';

const RECORDS = Number(process.env['LEDGER_RECORDS'] ?? 30_000);
const SECONDS = Number(process.env['LEDGER_SECONDS'] ?? 12);
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
const PARTITIONS = 6;
const KEYS = 600;
/** How long a group takes until it misses a member that is dead. */
const SESSION_MS = 3_000;
const CLASSIC = { sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: 300 };

const KINDS: readonly { readonly kind: string; readonly options: Partial<ConsumerOptions> }[] = [
  { kind: 'range', options: { ...CLASSIC, assignors: ['range'] } },
  { kind: 'cooperative-sticky', options: { ...CLASSIC, assignors: ['cooperative-sticky'] } },
  { kind: 'the coordinator', options: { groupProtocol: 'consumer' } },
];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A member that is gone without a word, and what its group had committed then. */
interface Accident {
  readonly stage: number;
  readonly at: number;
  readonly committed: ReadonlyMap<number, number>;
}

describe(`${RECORDS} numbers through three groups whose members come and go (CHAOS_SEED=${SEED})`, () => {
  let kafka: RealKafka;
  let krafka: Krafka;
  beforeAll(async () => {
    kafka = await startKafka({
      nodes: 1,
      heapMiB: 500,
      properties: {
        'group.min.session.timeout.ms': SESSION_MS,
        'group.initial.rebalance.delay.ms': 0,
        'group.consumer.min.session.timeout.ms': SESSION_MS,
        'group.consumer.session.timeout.ms': SESSION_MS,
        'group.consumer.min.heartbeat.interval.ms': 300,
        'group.consumer.heartbeat.interval.ms': 300,
      },
    });
    krafka = new Krafka({ brokers: kafka.bootstrap, clientId: 'ledger' });
  }, 120_000);
  afterAll(async () => {
    await krafka?.close();
    await kafka?.stop();
  });

  let groups: LedgerGroup[] = [];
  afterEach(() => groups.forEach((group) => group.abandon()));

  const begin = async (word: string, options: Partial<ConsumerOptions>): Promise<string[]> => {
    const topics = [0, 1, 2, 3].map((stage) => `${word}-${stage}`);
    await krafka.admin().createTopics(topics.map((name) => ({ name, partitions: PARTITIONS, replicationFactor: 1 })));
    groups = [0, 1, 2].map(
      (stage) =>
        new LedgerGroup(
          {
            brokers: kafka.bootstrap,
            groupId: `${word}-group-${stage}`,
            from: topics[stage] as string,
            to: topics[stage + 1] as string,
            by: stage === 1 ? 'keys' : 'batches',
            options,
          },
          2,
        ),
    );
    return topics;
  };

  /** Writes all numbers, spread over the time. A key stays in its partition. */
  const write = async (topic: string): Promise<void> => {
    const producer = krafka.producer();
    const steps = SECONDS * 10;
    for (let step = 0; step < steps; step++) {
      const from = Math.floor((RECORDS * step) / steps);
      const to = Math.floor((RECORDS * (step + 1)) / steps);
      const records = Array.from({ length: to - from }, (_, index) => ({
        topic,
        partition: (from + index) % PARTITIONS,
        key: `k${(from + index) % KEYS}`,
        value: String(from + index),
      }));
      await Promise.all([producer.sendAll(records), pause(100)]);
    }
    await producer.close();
  };

  const endOf = async (topic: string): Promise<number> => {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({
      topic,
      partition,
      at: 'latest' as const,
    }));
    return (await krafka.admin().listOffsets(partitions)).reduce((sum, { offset }) => sum + offset, 0);
  };

  /** Waits until the last group has committed all there is in the topic before it. */
  const untilDone = async (topics: readonly string[]): Promise<void> => {
    for (;;) {
      const ends = await Promise.all(topics.slice(0, 3).map(endOf));
      const done = await Promise.all(
        groups.map(async ({ groupId }) =>
          (await krafka.admin().listGroupOffsets(groupId)).reduce((sum, { offset }) => sum + offset, 0),
        ),
      );
      if (ends.every((end, stage) => end >= RECORDS && done[stage] === end)) return;
      await pause(250);
    }
  };

  /** Does something to one group after the other until all is written. */
  const churn = async (
    writing: Promise<void>,
    deed: (group: LedgerGroup, stage: number, random: () => number) => Promise<void>,
  ): Promise<void> => {
    const random = seededRandom(SEED);
    const writer = { hasEnded: false };
    void writing.finally(() => (writer.hasEnded = true));
    for (let turn = 0; !writer.hasEnded; turn++) {
      const stage = turn % groups.length;
      await deed(groups[stage] as LedgerGroup, stage, () => random.next());
      await pause(200);
    }
    await writing;
  };

  /** In the order of each key, and where a batch was copied at once, of each partition. */
  const reorderedIn = (copy: readonly DatedEntry[], stage: number): number => {
    if (stage === 1) return auditLedger([], copy).reordered.length;
    const byKey = copy.map((entry) => ({ ...entry, partition: entry.number % KEYS }));
    return auditLedger([], byKey).reordered.length;
  };

  describe.each(KINDS)('that assign by $kind', ({ kind, options }) => {
    const word = kind.replaceAll(' ', '-');

    it(
      'loses none and repeats none while members come and go in good order',
      async () => {
        const topics = await begin(`${word}-graceful`, options);
        let deeds = 0;
        await churn(write(topics[0] as string), async (group, _stage, random) => {
          deeds++;
          if (group.size < 2 || (group.size < 4 && random() < 0.5)) group.join();
          else await group.leave();
        });
        await untilDone(topics);
        await Promise.all(groups.map((group) => group.close()));
        const numbers = Array.from({ length: RECORDS }, (_, number) => number);
        const found = [];
        for (const [stage, topic] of topics.slice(1).entries()) {
          const copy = await wholeTopic(krafka, topic, PARTITIONS);
          const { lost, duplicated } = auditLedger(numbers, copy);
          found.push({ lost: lost.length, duplicated: duplicated.length, reordered: reorderedIn(copy, stage + 1) });
        }
        const complaints = groups.flatMap((group) => group.complaints);
        console.log(`${kind}: ${deeds} members came or went; ${JSON.stringify(found)} ${complaints.join('; ')}`);
        expect(found).toEqual([0, 1, 2].map(() => ({ lost: 0, duplicated: 0, reordered: 0 })));
        expect(complaints).toEqual([]);
        expect(deeds).toBeGreaterThan(5);
      },
      (SECONDS + 120) * 1_000,
    );

    it(
      'loses none, and repeats only what was not committed, while members are killed and frozen',
      async () => {
        const topics = await begin(`${word}-killed`, options);
        const accidents: Accident[] = [];
        const note = async (group: LedgerGroup, stage: number): Promise<void> => {
          const offsets = await krafka.admin().listGroupOffsets(group.groupId);
          const committed = new Map(offsets.map(({ partition, offset }) => [partition, offset]));
          accidents.push({ stage, at: Date.now(), committed });
        };
        await churn(write(topics[0] as string), async (group, stage, random) => {
          if (random() < 0.5) {
            await group.kill();
            await note(group, stage);
            group.join();
          } else {
            const thaw = group.freeze();
            await pause(50);
            await note(group, stage);
            await pause(SESSION_MS + 1_500);
            thaw();
          }
        });
        await untilDone(topics);
        await Promise.all(groups.map((group) => group.close()));
        const ledgers = await Promise.all(topics.map((topic) => wholeTopic(krafka, topic, PARTITIONS)));
        const found = [0, 1, 2].map((stage) => {
          const [before, after] = [ledgers[stage] as DatedEntry[], ledgers[stage + 1] as DatedEntry[]];
          const { lost } = auditLedger(new Set(before.map(({ number }) => number)), after);
          const repeated = repeatedBeyond(before, after);
          const accidental = repeated.filter(({ places, until }) =>
            accidents.some(
              ({ stage: where, at, committed }) =>
                where === stage &&
                at <= until &&
                places.some(({ partition, offset }) => offset >= (committed.get(partition) ?? 0)),
            ),
          );
          return { lost: lost.length, repeated: repeated.length, unexplained: repeated.length - accidental.length };
        });
        console.log(`${kind}: ${accidents.length} killed or frozen; ${JSON.stringify(found)}`);
        expect(found.map(({ lost, unexplained }) => ({ lost, unexplained }))).toEqual(
          [0, 1, 2].map(() => ({ lost: 0, unexplained: 0 })),
        );
        expect(accidents.length).toBeGreaterThan(1);
      },
      (SECONDS + 180) * 1_000,
    );
  });
});

/** Numbers that a copy holds more often than what it was made of, where they were, and when the last copy was written. */
function repeatedBeyond(
  before: readonly DatedEntry[],
  after: readonly DatedEntry[],
): { readonly places: readonly DatedEntry[]; readonly until: number }[] {
  const places = new Map<number, DatedEntry[]>();
  for (const entry of before) places.set(entry.number, [...(places.get(entry.number) ?? []), entry]);
  const copies = new Map<number, { count: number; until: number }>();
  for (const { number, timestamp } of after) {
    const { count, until } = copies.get(number) ?? { count: 0, until: 0 };
    copies.set(number, { count: count + 1, until: Math.max(until, timestamp) });
  }
  return [...copies]
    .filter(([number, { count }]) => count > (places.get(number)?.length ?? 0))
    .map(([number, { until }]) => ({ places: places.get(number) ?? [], until }));
}
