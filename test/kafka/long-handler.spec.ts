import type { ConsumerOptions } from '../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../support/test-cluster.js';

/** How long the handler takes, and the session it outlasts: the least that brokers allow by default. */
const HANDLER_MS = Number(process.env['LONG_HANDLER_MS'] ?? 8_000);
const SESSION_MS = Number(process.env['LONG_HANDLER_SESSION_MS'] ?? 6_000);

const KINDS: readonly { readonly kind: string; readonly options: Partial<ConsumerOptions> }[] = [
  { kind: 'range', options: { sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: SESSION_MS / 4 } },
  {
    kind: 'cooperative-sticky',
    options: { sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: SESSION_MS / 4, assignors: ['cooperative-sticky'] },
  },
  ...(process.env['KAFKA_VERSION']?.startsWith('3.') === true
    ? []
    : [{ kind: 'the coordinator', options: { groupProtocol: 'consumer' as const } }]),
];

describe(`a handler that takes ${HANDLER_MS} ms in a session of ${SESSION_MS} ms`, () => {
  let cluster: TestCluster;
  beforeAll(async () => void (cluster = await openTestCluster()));
  afterAll(() => cluster.close());

  it(
    'keeps its partition, is called once, and has its work committed, whoever assigns',
    async () => {
      const krafka = cluster.krafka();
      const producer = krafka.producer();
      const found = await Promise.all(
        KINDS.map(async ({ kind, options }) => {
          const topic = await cluster.newTopic(1);
          await producer.sendAll([0, 1].map((value) => ({ topic, partition: 0, value: String(value) })));
          const consumer = krafka.consumer({
            groupId: cluster.name('patient'),
            topics: [topic],
            fromBeginning: true,
            ...options,
          });
          const told: string[] = [];
          for (const name of ['rebalancing', 'revoked', 'lost'] as const) {
            consumer.events.on(name, () => told.push(name));
          }
          const seen: string[] = [];
          let over = (): void => undefined;
          const done = new Promise<void>((resolve) => (over = resolve));
          const running = consumer.run({
            eachRecord: async ({ valueText }) => {
              seen.push(String(valueText));
              if (valueText === '0') await new Promise((resolve) => setTimeout(resolve, HANDLER_MS));
              else over();
            },
          });
          await done;
          const before = [...told];
          const state = consumer.groupState();
          await consumer.close();
          await running;
          const [kept] = await krafka.admin().listGroupOffsets(consumer.groupId as string);
          return { kind, told: before, state, seen, committed: kept?.offset };
        }),
      );
      await producer.close();
      // The first assignment of the consumer protocol may be told of as a rebalance; none is after it.
      expect(
        found.map(({ told, ...rest }) => ({ ...rest, gone: told.filter((name) => name !== 'rebalancing') })),
      ).toEqual(KINDS.map(({ kind }) => ({ kind, state: 'stable', seen: ['0', '1'], committed: 2, gone: [] })));
    },
    HANDLER_MS + 60_000,
  );
});
