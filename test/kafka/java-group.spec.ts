import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ConsumerOptions, Krafka } from '../../lib/core/index.js';
import { jars } from '../support/java-tools.js';
import { openTestCluster, type TestCluster } from '../support/test-cluster.js';

const PARTITIONS = 4;
const CLASSIC = { heartbeatIntervalMs: 200, sessionTimeoutMs: 6_000 };
const strategy = (name: string): string =>
  `partition.assignment.strategy=org.apache.kafka.clients.consumer.${name}Assignor`;

const KINDS: readonly {
  readonly kind: string;
  readonly ours: Partial<ConsumerOptions>;
  readonly theirs: readonly string[];
}[] = [
  {
    kind: 'range',
    ours: { ...CLASSIC, assignors: ['range'] },
    theirs: [strategy('Range'), 'heartbeat.interval.ms=200'],
  },
  {
    kind: 'cooperative-sticky',
    ours: { ...CLASSIC, assignors: ['cooperative-sticky'] },
    theirs: [strategy('CooperativeSticky'), 'heartbeat.interval.ms=200'],
  },
  { kind: 'the coordinator', ours: { groupProtocol: 'consumer' }, theirs: ['group.protocol=consumer'] },
];

/** Kafka's own console consumer as a member of a group. */
class JavaMember {
  readonly values: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(bootstrap: string, groupId: string, topic: string, properties: readonly string[]) {
    this.#child = spawn(
      'java',
      [
        ...['-Xmx128m', '-cp', `${jars}/*`, 'org.apache.kafka.tools.consumer.ConsoleConsumer'],
        ...['--bootstrap-server', bootstrap, '--topic', topic, '--group', groupId],
        ...['auto.offset.reset=earliest', ...properties].flatMap((property) => ['--consumer-property', property]),
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      // It prints warnings there, too.
      if (line.startsWith('v-')) this.values.push(line);
    });
    this.#ended = once(this.#child, 'close');
  }

  async leave(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}

(jars === undefined || process.env['KAFKA_VERSION']?.startsWith('3.') === true ? describe.skip : describe)(
  'a group of Java members and ours',
  () => {
    let cluster: TestCluster;
    let krafka: Krafka;
    const java: JavaMember[] = [];

    beforeAll(async () => {
      cluster = await openTestCluster();
      krafka = cluster.krafka();
    });
    afterAll(async () => {
      await Promise.all(java.map((member) => member.leave()));
      await cluster.close();
    });

    it.each(KINDS)(
      'that assigns by $kind shares all partitions while it rolls from Java to ours and back',
      async ({ ours, theirs }) => {
        const topic = await cluster.newTopic(PARTITIONS);
        const groupId = cluster.name('rolling');
        const producer = krafka.producer();
        const read: string[] = [];
        let sent = 0;
        /** Writes to every partition, and waits until all of it was read by one member or the other. */
        const flow = async (): Promise<void> => {
          const numbers = Array.from({ length: 40 }, () => sent++);
          await producer.sendAll(
            numbers.map((number) => ({ topic, partition: number % PARTITIONS, value: `v-${number}` })),
          );
          await until(() => read.length + java.flatMap(({ values }) => values).length >= sent);
        };
        /** Waits until so many members have all partitions among them, none of them twice. */
        const gathered = (members: number): Promise<void> =>
          until(async () => {
            // The group is not there before its first member is.
            const [group] = await krafka
              .admin()
              .describeGroups([groupId])
              .catch(() => []);
            if (group?.members.length !== members || group.state !== 'Stable') return false;
            const shares = group.members.map(({ assignment }) => assignment.flatMap(({ partitions }) => partitions));
            return (
              shares.every(({ length }) => length === PARTITIONS / members) &&
              new Set(shares.flat()).size === PARTITIONS
            );
          });
        const join = (): void => void java.push(new JavaMember(cluster.bootstrap, groupId, topic, [...theirs]));

        java.length = 0;
        join();
        await gathered(1);
        await flow();

        const consumer = krafka.consumer({ groupId, topics: [topic], fromBeginning: true, ...ours });
        const running = consumer.run({ eachRecord: ({ valueText }) => void read.push(String(valueText)) });
        await gathered(2);
        await flow();
        expect(read).toHaveLength(20);

        await java[0]?.leave();
        await gathered(1);
        await flow();
        expect(read).toHaveLength(60);

        join();
        await gathered(2);
        await flow();
        await consumer.close();
        await running;
        await gathered(1);
        await flow();

        const all = [...read, ...java.flatMap(({ values }) => values)];
        expect(all.toSorted()).toEqual(Array.from({ length: sent }, (_, number) => `v-${number}`).toSorted());
        await Promise.all(java.map((member) => member.leave()));
        await producer.close();
      },
      90_000,
    );
  },
);

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}
