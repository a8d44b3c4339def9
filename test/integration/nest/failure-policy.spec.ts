import { randomBytes } from 'node:crypto';
import { BadRequestException, Controller, UsePipes, type PipeTransform } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  ConsumerGroup,
  EventPattern,
  KrafkaContext,
  KrafkaServer,
  OnFailure,
  type ConsumerOptions,
} from '../../../lib/index.js';
import { Lines, NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => {
  cluster = await openTestCluster();
});

beforeEach(() => {
  apps = new NestApps(cluster);
});

afterEach(() => apps.close());

afterAll(() => cluster.close());

interface Seen {
  readonly partition: number;
  readonly key: string | undefined;
  readonly value: Buffer | null;
  readonly headers: Record<string, string>;
}

/** Reads the first `count` records of a topic with a consumer of its own. */
async function read(topic: string, count: number): Promise<Seen[]> {
  const krafka = cluster.krafka();
  const [described] = await krafka.admin().describeTopics([topic]);
  const assignments: ConsumerOptions['assignments'] = (described?.partitions ?? []).map(({ partition }) => ({
    topic,
    partition,
    offset: 'earliest',
  }));
  const consumer = krafka.consumer({ assignments });
  const seen: Seen[] = [];
  for await (const record of consumer) {
    const { partition, key, value, headers } = record.detach();
    const texts = Object.entries(headers).map(([name, header]) => [name, String(header)]);
    seen.push({ partition, key: key?.toString(), value, headers: Object.fromEntries(texts) as Record<string, string> });
    if (seen.length === count) break;
  }
  await consumer.close();
  return seen;
}

describe('An event whose handler fails', () => {
  it('is tried again in place, and then goes to its dead-letter topic with its bytes and what happened', async () => {
    const topic = await cluster.newTopic(3);
    const attempts: number[] = [];
    class WarehouseClosed extends Error {}

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 2, backoffMs: 1 })
      placed(@Ctx() context: KrafkaContext): void {
        attempts.push(context.attempt);
        throw new WarehouseClosed('until Monday');
      }
    }
    const groupId = cluster.name('group');
    await apps.service({ controllers: [Orders], options: { consumer: { groupId } } });
    const { client } = await apps.client();
    const value = Buffer.from([0, 255, 1]);
    const metadata = await lastValueFrom(
      client.emit(topic, { key: 'k', value, headers: { trace: 't' }, partition: 2 }),
    );
    const [letter] = await read(`${topic}-dlt`, 1);
    expect(attempts).toEqual([1, 2, 3]);
    expect(letter).toMatchObject({ partition: 2, key: 'k', value });
    expect(letter?.headers).toMatchObject({
      trace: 't',
      'kafka_dlt-original-topic': topic,
      'kafka_dlt-original-partition': '2',
      'kafka_dlt-original-offset': String(metadata.offset),
      'kafka_dlt-original-consumer-group': groupId,
      'kafka_dlt-exception-fqcn': 'WarehouseClosed',
      'kafka_dlt-exception-message': 'until Monday',
      'kafka_dlt-exception-stacktrace': expect.stringContaining('at Orders.placed') as string,
    });
  });

  it('holds up its own partition only', async () => {
    const topic = await cluster.newTopic(2);
    const done: string[] = [];
    let mend = false;

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 1_000, backoffMs: 1, maxBackoffMs: 10 })
      placed(@Payload() name: string): void {
        if (name === 'bad' && !mend) throw new Error('not yet');
        done.push(name);
      }
    }
    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    await lastValueFrom(
      client.emitBatch(topic, { messages: ['bad', 'behind'].map((value) => ({ value, partition: 0 })) }),
    );
    await lastValueFrom(client.emitBatch(topic, { messages: ['a', 'b'].map((value) => ({ value, partition: 1 })) }));
    await until('the other partition', () => done.length === 2);
    expect(done).toEqual(['a', 'b']);
    mend = true;
    await until('the partition that waited', () => done.length === 4);
    expect(done.slice(2)).toEqual(['bad', 'behind']);
  });

  it('goes to its dead-letter topic even if it is as large as a record may be, without what there is no room for', async () => {
    const topic = await cluster.newTopic();
    const handled: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0 })
      placed(@Payload() payload: unknown): void {
        if (payload !== 'behind') throw new Error('no');
        handled.push(payload);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    // Nothing makes it smaller, and it leaves room for less than what a dead letter says of itself.
    const value = Buffer.concat([Buffer.from([0xff]), randomBytes(1024 * 1024 - 301)]);
    await apps.emit(topic, { value }, 'behind');
    await until('the event behind it', () => handled.length === 1);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ deadLetters: 1 });
    const [letter] = await read(`${topic}-dlt`, 1);
    expect(letter?.value?.equals(value)).toBe(true);
    expect(letter?.headers).not.toHaveProperty('kafka_dlt-exception-stacktrace');
  });

  it('goes there even if it is larger than what the service itself may send', async () => {
    const topic = await cluster.newTopic(1, { 'max.message.bytes': String(4 * 1024 * 1024) });

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0 })
      placed(): void {
        throw new Error('no');
      }
    }
    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client({ producer: { maxRequestSize: 4 * 1024 * 1024 } });
    const value = 'x'.repeat(2 * 1024 * 1024);
    await lastValueFrom(client.emit(topic, value));
    const [letter] = await read(`${topic}-dlt`, 1);
    expect(letter?.value?.length).toBe(value.length);
    expect(letter?.headers).toMatchObject({ 'kafka_dlt-exception-message': 'no' });
  });

  it('holds up its partition alone while its dead-letter topic has no room for it, and is not handled again', async () => {
    const topic = await cluster.newTopic(2);
    const deadLetterTopic = await cluster.newTopic(2, { 'max.message.bytes': '1000' }, `${topic}-dlt`);
    const handled: unknown[] = [];
    let calls = 0;

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0 })
      placed(@Payload() payload: string): void {
        if (payload.length > 1_000) {
          calls += 1;
          throw new Error('no');
        }
        handled.push(payload);
      }
    }
    const logger = new Lines();
    const app = await apps.service({ controllers: [Orders], options: { logger } });
    const large = randomBytes(5_000).toString('hex');
    const { client } = await apps.client();
    const messages = [large, 'behind'].map((value) => ({ value, partition: 0 }));
    await lastValueFrom(client.emitBatch(topic, { messages }));
    await until('the refusal', () => logger.all.some((line) => line.includes('it holds up its partition')));
    await lastValueFrom(client.emit(topic, { value: 'beside', partition: 1 }));
    await until('the other partition', () => handled.length === 1);
    expect([...app.get(KrafkaServer).groups.values()]).toMatchObject([{ state: 'stable', error: undefined }]);
    await cluster.configure([{ type: 'topic', name: deadLetterTopic, set: { 'max.message.bytes': '100000' } }]);
    await until('the event behind it', () => handled.length === 2);
    expect({ handled, calls }).toEqual({ handled: ['beside', 'behind'], calls: 1 });
    expect(String((await read(deadLetterTopic, 1))[0]?.value)).toBe(large);
  });

  it('goes to its dead-letter topic although somebody has deleted that meanwhile', async () => {
    const topic = await cluster.newTopic();
    const handled: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0 })
      placed(@Payload() payload: string): void {
        if (payload.startsWith('bad')) throw new Error('no');
        handled.push(payload);
      }
    }
    const options = { producer: { deliveryTimeoutMs: 3_000, requestTimeoutMs: 1_000 } };
    const app = await apps.service({ controllers: [Orders], options });
    await apps.emit(topic, 'bad before');
    await until('a dead letter', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 1);
    const admin = cluster.krafka().admin();
    await admin.deleteTopics([`${topic}-dlt`]);
    await until(
      'the topic to be gone',
      async () => !(await admin.listTopics()).some(({ name }) => name === `${topic}-dlt`),
    );
    await apps.emit(topic, 'bad after', 'behind');
    await until('the event behind it', () => handled.length === 1);
    expect(String((await read(`${topic}-dlt`, 1))[0]?.value)).toBe('bad after');
  });

  it('that a pipe refuses goes to its dead-letter topic at once, under the name of what the pipe threw', async () => {
    const topic = await cluster.newTopic();
    let refusals = 0;
    const handled: unknown[] = [];

    class Strict implements PipeTransform {
      transform(value: unknown): unknown {
        if (typeof value === 'object') return value;
        refusals += 1;
        throw new BadRequestException('an order is an object');
      }
    }

    @Controller()
    class Orders {
      @EventPattern(topic)
      @UsePipes(new Strict())
      placed(@Payload() order: unknown): void {
        handled.push(order);
      }
    }
    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    await lastValueFrom(client.emitBatch(topic, { messages: ['poison', { id: 1 }] }));
    const [letter] = await read(`${topic}-dlt`, 1);
    expect(letter?.headers).toMatchObject({
      'kafka_dlt-exception-fqcn': 'BadRequestException',
      'kafka_dlt-exception-message': 'an order is an object',
    });
    await until('the event behind it', () => handled.length === 1);
    expect({ refusals, handled }).toEqual({ refusals: 1, handled: [{ id: 1 }] });
  });

  it('is called again, or not, as the policy says of the class of its error', async () => {
    const topic = await cluster.newTopic();
    const calls: string[] = [];

    class Closed extends Error {}

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 1, backoffMs: 1, neverRetry: [Closed], alwaysRetry: [BadRequestException], then: 'skip' })
      placed(@Payload() name: string): void {
        calls.push(name);
        if (name === 'closed') throw new Closed();
        if (name === 'refused') throw new BadRequestException();
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'closed', 'refused', 'good');
    await until('the last of them', () => calls.includes('good'));
    expect(calls).toEqual(['closed', 'refused', 'refused', 'good']);
  });

  it('calls only the handler that failed again', async () => {
    const topic = await cluster.newTopic();
    const calls = { good: 0, bad: 0 };

    @Controller()
    @OnFailure({ retries: 2, backoffMs: 1, then: 'skip' })
    class Orders {
      @EventPattern(topic)
      good(): void {
        calls.good += 1;
      }

      @EventPattern(topic)
      bad(): void {
        calls.bad += 1;
        throw new Error('no');
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    await lastValueFrom(client.emit(topic, 1));
    await until('the event to be left out', () => app.get(KrafkaServer).deliveryCounts().skipped === 1);
    expect(calls).toEqual({ good: 1, bad: 3 });
  });

  it('stops the consumer where the policy says so: the event is kept, the status says crashed, health is down', async () => {
    const topic = await cluster.newTopic();
    const options = { consumer: { groupId: cluster.name('group') }, logger: new Lines() };
    let calls = 0;

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0, then: 'stop' })
      placed(): void {
        calls += 1;
        throw new Error('no');
      }
    }
    const app = await apps.service({ controllers: [Orders], options });
    const statuses: string[] = [];
    app.status.subscribe((status: string) => statuses.push(status));
    const { client } = await apps.client();
    await lastValueFrom(client.emitBatch(topic, { messages: [1, 2] }));
    await until('the crash', () => statuses.includes('crashed'));
    const [group] = app.get(KrafkaServer).groups.values();
    expect(group).toMatchObject({ state: 'fatal', error: { code: 'HANDLER_FAILED' } });
    await app.close();
    expect(calls).toBe(1);

    const seen: unknown[] = [];

    @Controller()
    class Mended {
      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(payload);
      }
    }
    await apps.service({ controllers: [Mended], options });
    await until('what was kept', () => seen.length === 2);
    expect(seen).toEqual(['1', '2']);
  });

  it("stops one group's consumer: the status says crashed, whatever becomes of the other groups", async () => {
    const [broken, sound] = [await cluster.newTopic(), await cluster.newTopic(2)];
    const soundGroup = cluster.name('sound');

    @Controller()
    class Broken {
      @EventPattern(broken)
      @OnFailure({ retries: 0, then: 'stop' })
      placed(): void {
        throw new Error('no');
      }
    }

    @Controller()
    class Sound {
      @EventPattern(sound)
      @ConsumerGroup(soundGroup)
      placed(): void {}
    }
    const app = await apps.service({ controllers: [Broken, Sound] });
    const told: string[] = [];
    const server = app.get(KrafkaServer);
    server.status.subscribe((status) => told.push(status));
    server.on('state', ({ groupId, state }) => void (groupId === soundGroup && told.push(`sound ${state}`)));
    server.on('crashed', ({ groupId, error, restartInMs }) =>
      told.push(`${groupId === soundGroup ? 'sound' : 'broken'} ${error.code} ${String(restartInMs)}`),
    );
    await apps.emit(broken, 1);
    await until('the crash', () => told.includes('broken HANDLER_FAILED undefined'));
    await apps.service({ controllers: [Sound] });
    await until('the sound group to be stable again', () => told.includes('sound stable'));
    expect(told.filter((one) => !one.startsWith('sound '))).toEqual([
      'connected',
      'crashed',
      'broken HANDLER_FAILED undefined',
    ]);
  });
});
