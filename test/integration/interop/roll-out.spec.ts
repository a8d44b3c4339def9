import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload, Transport, type KafkaOptions } from '@nestjs/microservices';
import { KrafkaServer } from '../../../lib/index.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

// A service that moves from Nest's own Kafka transport to this one, and back, in its consumer group.

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => void (cluster = await openTestCluster()));
beforeEach(() => void (apps = new NestApps(cluster)));
afterEach(() => apps.close());
afterAll(() => cluster.close());

type KafkajsOptions = NonNullable<KafkaOptions['options']>;

/** The service on Nest's own transport. */
async function theirs(controller: Type, groupId: string) {
  @Module({ controllers: [controller] })
  class App {}
  const app = await NestFactory.createMicroservice<KafkaOptions>(App, {
    transport: Transport.KAFKA,
    options: {
      client: {
        brokers: cluster.bootstrap.split(','),
        ssl: structuredClone(cluster.connection.tls),
        sasl: structuredClone(cluster.connection.sasl),
        logCreator: () => () => undefined,
      } as KafkajsOptions['client'],
      consumer: { groupId, heartbeatInterval: 500 },
      subscribe: { fromBeginning: true },
    },
    logger: false,
  } as KafkaOptions);
  apps.add(app);
  await app.listen();
  return app;
}

function handlers(topic: string) {
  const seen: string[] = [];
  const of = (who: string): Type => {
    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(`${who} ${String(payload)}`);
      }
    }
    return Orders;
  };
  return { seen, of };
}

describe("A service on Nest's own transport", () => {
  it('is followed by ours in the same group, and may come back: nothing is lost and nothing repeated', async () => {
    const topic = await cluster.newTopic(1);
    const groupId = cluster.name('orders');
    const { seen, of } = handlers(topic);
    const { client } = await apps.client();
    const produce = (from: number): Promise<unknown> =>
      client.producer.sendAll(Array.from({ length: 10 }, (_, n) => ({ topic, value: String(from + n) })));
    const rounds = [
      ['Nest', 0],
      ['krafka', 10],
      ['Nest', 20],
    ] as const;
    for (const [who, from] of rounds) {
      await produce(from);
      // Nest appends '-server' to the name; ours is the name as it is.
      const options = { consumer: { groupId: `${groupId}-server` } };
      const app = await (who === 'Nest' ? theirs(of(who), groupId) : apps.service({ controllers: [of(who)], options }));
      await until(`what came before ${who}`, () => seen.length >= from + 10);
      await app.close();
    }
    expect(seen).toEqual(rounds.flatMap(([who, from]) => Array.from({ length: 10 }, (_, n) => `${who} ${from + n}`)));
  });
});

// Only brokers that speak the consumer protocol (KIP-848, Kafka 4) let members of both protocols share a group.
const isOld = process.env['KAFKA_VERSION']?.startsWith('3.') ?? false;
(process.env['KAFKA_BROKERS'] && !isOld ? describe : describe.skip)(
  "A service on Nest's own transport, on Kafka 4",
  () => {
    it('shares its group with ours while the fleet is rolled', async () => {
      const topic = await cluster.newTopic(4);
      const groupId = cluster.name('orders');
      const { seen, of } = handlers(topic);
      await theirs(of('Nest'), groupId);
      const ours = await apps.service({
        controllers: [of('krafka')],
        options: { consumer: { groupId: `${groupId}-server`, groupProtocol: 'auto' } },
      });
      const { client } = await apps.client();
      const partitions = (): number => ours.get(KrafkaServer).groups.get(`${groupId}-server`)?.partitions ?? 0;
      await until('half of the partitions', () => partitions() === 2);
      await client.producer.sendAll(
        Array.from({ length: 40 }, (_, n) => ({ topic, partition: n % 4, value: String(n) })),
      );
      await until('all events', () => seen.length >= 40);
      expect(seen.filter((one) => one.startsWith('krafka'))).toHaveLength(20);
      expect(seen.map((one) => Number(one.split(' ')[1])).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 40 }, (_, n) => n),
      );
    });
  },
);
