import { Krafka, type ConsumerOptions } from '../../lib/core/index.js';
import { seededRandom } from '../../lib/core/support/index.js';
import { startKafka, type RealKafka } from '../../scripts/kafka/cluster.mjs';
import { LedgerGroup } from './ledger-group.js';
import type { MemberTask } from './ledger-member.js';
import { auditLedger } from './ledger.js';
import { wholeTopic, type DatedEntry } from './whole-topic.js';

const RECORDS = Number(process.env['LEDGER_RECORDS'] ?? 30_000);
const SECONDS = Number(process.env['LEDGER_SECONDS'] ?? 12);
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
const PARTITIONS = 6;
const KEYS = 600;
/** How long a group takes until it misses a member that is dead. */
const SESSION_MS = 3_000;
/** The same where nobody dies: longer than a busy machine may keep a member from its heartbeat. */
const LONG_SESSION_MS = 30_000;
const CLASSIC = { sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: 300 };

const KINDS: readonly { readonly kind: string; readonly options: Partial<ConsumerOptions> }[] = [
  { kind: 'range', options: { ...CLASSIC, assignors: ['range'] } },
  { kind: 'cooperative-sticky', options: { ...CLASSIC, assignors: ['cooperative-sticky'] } },
  { kind: 'the coordinator', options: { groupProtocol: 'consumer' } },
];

const groupName = (word: string, stage: number): string => `${word}-group-${stage}`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A member that is gone without a word, and what its group had committed then. */
interface Accident {
  readonly stage: number;
  readonly at: number;
  /** When the member had surely done the last of what it still had in hands. */
  over: number;
  readonly committed: ReadonlyMap<number, number>;
}

/** What is copied more than once: where it was, and when it was copied first and last. */
interface Repeat {
  readonly places: readonly DatedEntry[];
  readonly first: number;
  readonly last: number;
}

/** A member that is thawed goes on for so long, at most, before it hears that it was missed. */
const UNAWARE_MS = 10_000;

/** Whether an accident is why a record was copied again: copied before it was over, not committed then, copied after it. */
const isWhy = ({ at, over, committed }: Accident, { places, first, last }: Repeat): boolean =>
  first <= over && at <= last && places.some(({ partition, offset }) => offset >= (committed.get(partition) ?? 0));

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

  const begin = async (
    word: string,
    options: Partial<ConsumerOptions>,
    by: readonly MemberTask['by'][] = ['batches', 'keys', 'batches'],
  ): Promise<string[]> => {
    const topics = [0, 1, 2, 3].map((stage) => `${word}-${stage}`);
    await krafka.admin().createTopics(topics.map((name) => ({ name, partitions: PARTITIONS, replicationFactor: 1 })));
    groups = [0, 1, 2].map(
      (stage) =>
        new LedgerGroup(
          {
            brokers: kafka.bootstrap,
            groupId: groupName(word, stage),
            from: topics[stage] as string,
            to: topics[stage + 1] as string,
            by: by[stage] as MemberTask['by'],
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

  /** Waits until the last copy holds all numbers, and each group has committed what it copied. */
  const untilDone = async (topics: readonly string[]): Promise<void> => {
    const last = krafka.consumer({
      assignments: Array.from({ length: PARTITIONS }, (_, partition) => ({
        topic: topics[3] as string,
        partition,
        offset: 'earliest' as const,
      })),
      isolationLevel: 'read_committed',
    });
    const missing = new Set(Array.from({ length: RECORDS }, (_, number) => number));
    for await (const { valueText } of last) {
      missing.delete(Number(valueText));
      if (missing.size === 0) break;
    }
    await last.close();
    // What is repeated at the end is so by now.
    await pause(SESSION_MS + 2_000);
  };

  /** Options by which groups called `word` take long to miss anybody. */
  const patient = async (word: string, options: Partial<ConsumerOptions>): Promise<Partial<ConsumerOptions>> => {
    if (options.groupProtocol !== 'consumer') return { ...options, sessionTimeoutMs: LONG_SESSION_MS };
    const set = { 'consumer.session.timeout.ms': String(LONG_SESSION_MS) };
    const names = [0, 1, 2].map((stage) => groupName(word, stage));
    await krafka.admin().incrementalAlterConfigs(names.map((name) => ({ type: 'group', name, set })));
    return options;
  };

  /** Does something to one group after the other until all is written, and so many times at least. */
  const churn = async (
    writing: Promise<void>,
    least: number,
    deed: (group: LedgerGroup, stage: number, random: () => number) => Promise<void>,
  ): Promise<void> => {
    const random = seededRandom(SEED);
    const writer = { hasEnded: false };
    void writing.finally(() => (writer.hasEnded = true));
    for (let turn = 0; !writer.hasEnded || turn < least; turn++) {
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
        const name = `${word}-graceful`;
        const topics = await begin(name, await patient(name, options));
        let deeds = 0;
        await churn(write(topics[0] as string), 6, async (group, _stage, random) => {
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
      (SECONDS * 4 + 120) * 1_000,
    );

    it(
      'loses none, and repeats only what was not committed, while members are killed and frozen',
      async () => {
        const topics = await begin(`${word}-killed`, options);
        const accidents: Accident[] = [];
        const note = async (group: LedgerGroup, stage: number): Promise<Accident> => {
          const offsets = await krafka.admin().listGroupOffsets(group.groupId);
          const committed = new Map(offsets.map(({ partition, offset }) => [partition, offset]));
          const accident = { stage, at: Date.now(), over: Date.now(), committed };
          accidents.push(accident);
          return accident;
        };
        await churn(write(topics[0] as string), 2, async (group, stage, random) => {
          if (random() < 0.5) {
            await group.kill();
            await note(group, stage);
            group.join();
          } else {
            const thaw = group.freeze();
            await pause(50);
            const accident = await note(group, stage);
            await pause(SESSION_MS + 1_500);
            thaw();
            accident.over = Date.now() + UNAWARE_MS;
          }
        });
        await untilDone(topics);
        await Promise.all(groups.map((group) => group.close()));
        const ledgers = await Promise.all(topics.map((topic) => wholeTopic(krafka, topic, PARTITIONS)));
        const found = [0, 1, 2].map((stage) => {
          const [before, after] = [ledgers[stage] as DatedEntry[], ledgers[stage + 1] as DatedEntry[]];
          const { lost } = auditLedger(new Set(before.map(({ number }) => number)), after);
          const repeated = repeatedBeyond(before, after);
          const there = accidents.filter((accident) => accident.stage === stage);
          const accidental = repeated.filter((repeat) => there.some((accident) => isWhy(accident, repeat)));
          return { lost: lost.length, repeated: repeated.length, unexplained: repeated.length - accidental.length };
        });
        console.log(`${kind}: ${accidents.length} killed or frozen; ${JSON.stringify(found)}`);
        expect(found.map(({ lost, unexplained }) => ({ lost, unexplained }))).toEqual(
          [0, 1, 2].map(() => ({ lost: 0, unexplained: 0 })),
        );
        expect(accidents.length).toBeGreaterThan(1);
      },
      (SECONDS * 4 + 180) * 1_000,
    );

    it(
      'copies each once, where offsets go with the copies in a transaction, whatever happens to members',
      async () => {
        const topics = await begin(`${word}-once`, options, ['transactions', 'transactions', 'transactions']);
        let deeds = 0;
        await churn(write(topics[0] as string), 2, async (group, _stage, random) => {
          deeds++;
          const dice = random();
          if (dice < 0.3) group.join();
          if (dice < 0.5) await group.leave();
          else if (dice < 0.8) {
            await group.kill();
            group.join();
          } else {
            const thaw = group.freeze();
            await pause(SESSION_MS + 1_500);
            thaw();
          }
          if (group.size < 2) group.join();
        });
        await untilDone(topics);
        await Promise.all(groups.map((group) => group.close()));
        const numbers = Array.from({ length: RECORDS }, (_, number) => number);
        const found = [];
        for (const topic of topics.slice(1)) {
          const copy = await wholeTopic(krafka, topic, PARTITIONS, 'read_committed');
          const { lost, duplicated, reordered } = auditLedger(numbers, copy);
          found.push({ lost: lost.length, duplicated: duplicated.length, reordered: reordered.length });
        }
        console.log(`${kind}: ${deeds} times members came, went, were killed or frozen; ${JSON.stringify(found)}`);
        expect(found).toEqual([0, 1, 2].map(() => ({ lost: 0, duplicated: 0, reordered: 0 })));
        expect(deeds).toBeGreaterThan(1);
      },
      (SECONDS * 4 + 240) * 1_000,
    );
  });
});

/** Numbers that a copy holds more often than what it was made of. */
function repeatedBeyond(before: readonly DatedEntry[], after: readonly DatedEntry[]): Repeat[] {
  const places = new Map<number, DatedEntry[]>();
  for (const entry of before) places.set(entry.number, [...(places.get(entry.number) ?? []), entry]);
  const copies = new Map<number, number[]>();
  for (const { number, timestamp } of after) copies.set(number, [...(copies.get(number) ?? []), timestamp]);
  return [...copies]
    .filter(([number, { length }]) => length > (places.get(number)?.length ?? 0))
    .map(([number, times]) => ({
      places: places.get(number) ?? [],
      first: Math.min(...times),
      last: Math.max(...times),
    }));
}
