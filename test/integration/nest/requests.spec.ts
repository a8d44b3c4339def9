import { Controller } from '@nestjs/common';
import {
  Ctx,
  KafkaRetriableException,
  Payload,
  RpcException,
  type Deserializer,
  type Serializer,
} from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, NEVER, of, range, toArray } from 'rxjs';
import {
  EventPattern,
  KrafkaContext,
  KrafkaRecordBuilder,
  KrafkaServer,
  MessagePattern,
  OnFailure,
  schemaRegistrySerde,
  type KafkaMessageView,
  type KrafkaSerde,
  type SchemaCodec,
} from '../../../lib/index.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => void (cluster = await openTestCluster()));
beforeEach(() => void (apps = new NestApps(cluster)));
afterEach(() => apps.close());
afterAll(() => cluster.close());

describe('A request', () => {
  it('tells the server its deadline, and is not worked on once that has passed', async () => {
    const topic = await cluster.newTopic();
    const calls: unknown[] = [];

    @Controller()
    class Prices {
      @MessagePattern(topic)
      price(@Payload() payload: unknown, @Ctx() context: KrafkaContext): unknown {
        calls.push({ payload, deadline: context.deadline });
        return 'priced';
      }
    }
    const app = await apps.service({ controllers: [Prices] });
    const { client } = await apps.client();
    const before = Date.now();
    await firstValueFrom(client.send(topic, new KrafkaRecordBuilder('in time').setTimeout(20_000).build()));
    const [{ deadline }] = calls as [{ deadline: number }];
    expect(deadline).toBeGreaterThanOrEqual(before + 20_000);
    expect(deadline).toBeLessThanOrEqual(Date.now() + 20_000);
    await firstValueFrom(client.send(topic, new KrafkaRecordBuilder('no deadline').setTimeout(0).build()));
    // As a request looks that has waited for long while nobody served.
    const headers = { kafka_correlationId: 'x', kafka_replyTopic: `${topic}.reply`, kafka_replyPartition: '0' };
    await lastValueFrom(client.emit(topic, { value: 'late', headers: { ...headers, krafka_deadline: '1000' } }));
    await firstValueFrom(client.send(topic, 'after'));
    expect(calls.map((call) => (call as { payload: unknown }).payload)).toEqual(['in time', 'no deadline', 'after']);
    expect(app.get(KrafkaServer).deliveryCounts().lateRequests).toBe(1);
  });

  it('is called again for a KafkaRetriableException alone, and answered with what it failed of in the end', async () => {
    const topic = await cluster.newTopic();
    const calls: string[] = [];

    @Controller()
    class Prices {
      @MessagePattern(topic)
      @OnFailure({ retries: 2, backoffMs: 1 })
      price(@Payload() sku: string): string {
        calls.push(sku);
        if (sku === 'sold out') throw new RpcException('there is none');
        if (sku === 'locked' || calls.filter((one) => one === sku).length < 2) {
          throw new KafkaRetriableException('somebody has it');
        }
        return `price of ${sku}`;
      }
    }
    await apps.service({ controllers: [Prices] });
    const { client } = await apps.client();
    expect(await firstValueFrom(client.send(topic, 'tea'))).toBe('price of tea');
    await expect(firstValueFrom(client.send(topic, 'locked'))).rejects.toMatchObject({ message: 'somebody has it' });
    await expect(firstValueFrom(client.send(topic, 'sold out'))).rejects.toMatchObject({ message: 'there is none' });
    expect(calls).toEqual(['tea', 'tea', 'locked', 'locked', 'locked', 'sold out']);
  });

  it('ends with the reason of its signal', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Silent {
      @MessagePattern(topic)
      answer(): unknown {
        return NEVER;
      }
    }
    await apps.service({ controllers: [Silent], options: { shutdownTimeoutMs: 200 } });
    const { client } = await apps.client();
    const controller = new AbortController();
    const asking = firstValueFrom(
      client.send(topic, new KrafkaRecordBuilder('a').setSignal(controller.signal).build()),
    );
    await until('the request to wait', () => client.replyStats().pending === 1);
    controller.abort(new Error('the user has left'));
    await expect(asking).rejects.toThrow('the user has left');
    expect(client.replyStats().pending).toBe(0);
    const late = client.send(topic, new KrafkaRecordBuilder('a').setSignal(controller.signal).build());
    await expect(firstValueFrom(late)).rejects.toThrow('the user has left');
  });

  it('is answered with a long stream in order, by Observables and by async generators', async () => {
    const [observed, pulled] = await Promise.all([cluster.newTopic(), cluster.newTopic()]);

    @Controller()
    class Numbers {
      @MessagePattern(observed)
      all(@Payload() count: string): unknown {
        return range(0, Number(count));
      }

      @MessagePattern(pulled)
      async *each(@Payload() count: string): AsyncIterable<number> {
        for (let n = 0; n < Number(count); n++) yield n;
        if (count === '3') throw new RpcException({ code: 'ENOUGH' });
      }
    }
    await apps.service({ controllers: [Numbers] });
    const { client } = await apps.client();
    const expected = Array.from({ length: 2_000 }, (_, n) => String(n));
    expect(await lastValueFrom(client.send(observed, 2_000).pipe(toArray()))).toEqual(expected);
    expect(await lastValueFrom(client.send(pulled, 2_000).pipe(toArray()))).toEqual(expected);
    expect(await lastValueFrom(client.send(pulled, 0).pipe(toArray()))).toEqual([]);
    const heard: unknown[] = [];
    const failing = new Promise((_resolve, reject) => {
      client.send(pulled, 3).subscribe({ next: (value) => heard.push(value), error: reject });
    });
    await expect(failing).rejects.toEqual({ code: 'ENOUGH' });
    expect(heard).toEqual(['0', '1', '2']);
  });
});

describe('Serdes', () => {
  it('keep the order of what is sent while they take their time, on either side', async () => {
    const [events, requests] = await Promise.all([cluster.newTopic(), cluster.newTopic()]);
    const slow = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const unsteady: KrafkaSerde = {
      serialize: async (value) => {
        await slow(Number(value) % 2 === 0 ? 10 : 0);
        return `<${String(value)}>`;
      },
      deserialize: async (bytes) => {
        await slow(bytes.includes('0>') ? 5 : 0);
        return Number(bytes.toString().slice(1, -1));
      },
    };
    const seen: unknown[] = [];

    @Controller()
    class Numbers {
      @EventPattern(events)
      one(@Payload() payload: unknown): void {
        seen.push(payload);
      }

      @MessagePattern(requests)
      all(@Payload() count: number): unknown {
        return range(0, count);
      }
    }
    const serde = { topics: { [events]: unsteady, [requests]: unsteady } };
    await apps.service({ controllers: [Numbers], options: { serde } });
    const { client } = await apps.client({ serde });
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    await Promise.all(numbers.map((n) => lastValueFrom(client.emit(events, n))));
    await lastValueFrom(client.emitBatch(events, { messages: [20, 21, 22] }));
    await until('all events', () => seen.length === 23);
    expect(seen).toEqual([...numbers, 20, 21, 22]);
    expect(await lastValueFrom(client.send(requests, 20).pipe(toArray()))).toEqual(numbers);
  });

  it('let no tombstone pass the value that it deletes: alone, in batches and in transactions', async () => {
    const [alone, batched, transacted] = await Promise.all([
      cluster.newTopic(),
      cluster.newTopic(),
      cluster.newTopic(),
    ]);
    // A value is encoded by and by, a tombstone at once.
    const codec: SchemaCodec = { encode: (value) => Buffer.from(String(value)), decode: (bytes) => bytes.toString() };
    const serde = schemaRegistrySerde({ schemaFor: async () => ({ id: 7, codec }), schemaOf: async () => codec });
    const seen: Record<string, unknown[]> = { [alone]: [], [batched]: [], [transacted]: [] };

    @Controller()
    class Accounts {
      @EventPattern([alone, batched, transacted])
      changed(@Payload() payload: unknown, @Ctx() context: KrafkaContext): void {
        seen[context.getTopic()]?.push(payload);
      }
    }
    await apps.service({
      controllers: [Accounts],
      options: { serde, consumer: { groupId: cluster.name('group'), isolationLevel: 'read_committed' } },
    });
    const { client } = await apps.client({ serde });
    // While nothing is known of a topic its records wait in the producer, which would mend their order.
    for (const topic of [alone, batched, transacted]) await lastValueFrom(client.emit(topic, 'first'));
    const value = { key: 'k', value: 'there' };
    const tombstone = { key: 'k', value: null };
    await Promise.all([client.emit(alone, value), client.emit(alone, tombstone)].map((one) => lastValueFrom(one)));
    await Promise.all(
      [[value, value], [tombstone]].map((messages) => lastValueFrom(client.emitBatch(batched, { messages }))),
    );
    await client.transaction((tx) => {
      void tx.send({ topic: transacted, ...value });
      void tx.emit(transacted, tombstone);
      void tx.sendAll([
        { topic: transacted, ...value },
        { topic: transacted, ...value },
      ]);
      void tx.send({ topic: transacted, ...tombstone });
    });
    await until('all of it', () => Object.values(seen).flat().length === 3 + 2 + 3 + 5);
    expect(seen).toEqual({
      [alone]: ['first', 'there', null],
      [batched]: ['first', 'there', 'there', null],
      [transacted]: ['first', 'there', null, 'there', 'there', null],
    });
  });

  it('speak the envelope of a schema registry: what it can read is handled, what it never can goes to the dead letters', async () => {
    const topic = await cluster.newTopic();
    const codec: SchemaCodec = {
      encode: (value) => Buffer.from(JSON.stringify(value)),
      decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
    };
    let away = 2;
    const serde = schemaRegistrySerde({
      schemaFor: async () => ({ id: 7, codec }),
      // A registry that is away at first: that may pass, and is retried.
      schemaOf: async (id) => {
        if (away-- > 0) throw new Error('the registry is away');
        return id === 7 ? codec : undefined;
      },
    });
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(payload);
      }
    }
    const app = await apps.service({
      controllers: [Orders],
      options: { serde, onFailure: { retries: 5, backoffMs: 1, maxBackoffMs: 1 } },
    });
    const { client } = await apps.client({ serde });
    const plain = await apps.client();
    await lastValueFrom(client.emit(topic, { id: 1 }));
    await lastValueFrom(plain.client.emit(topic, 'no envelope'));
    await lastValueFrom(plain.client.emit(topic, Buffer.from([0, 0, 0, 0, 9, 1])));
    await lastValueFrom(client.emit(topic, { id: 2 }));
    await until('both events', () => seen.length === 2);
    expect(seen).toEqual([{ id: 1 }, { id: 2 }]);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ deadLetters: 2, retries: 2 });
  });
});

describe("Serializers written for Nest's transport", () => {
  /** Puts payloads in envelopes, by and by. */
  class EnvelopeSerializer implements Serializer<unknown, unknown> {
    async serialize(payload: unknown, { pattern }: { readonly pattern: string }): Promise<object> {
      return { key: 'enveloped', value: { payload, on: pattern }, headers: { version: '2' } };
    }
  }

  /** Takes them out: `data` of what is asked and told, `response` of what is answered. */
  class EnvelopeDeserializer implements Deserializer<KafkaMessageView, unknown> {
    async deserialize({ value }: KafkaMessageView, { channel }: { readonly channel: string }): Promise<object> {
      const { payload, on } = value as { readonly payload: unknown; readonly on: string };
      if (on !== channel) throw new TypeError(`an envelope for '${on}' came on '${channel}'`);
      return channel.endsWith('.reply') ? { response: payload } : { pattern: channel, data: payload };
    }
  }

  it('make bytes of events, requests and replies on either side, and payloads of those', async () => {
    const [events, requests] = await Promise.all([cluster.newTopic(), cluster.newTopic()]);
    const seen: unknown[] = [];

    @Controller()
    class Prices {
      @EventPattern(events)
      changed(@Payload() payload: unknown, @Ctx() context: KrafkaContext): void {
        const { key, value, headers } = context.getMessage();
        seen.push({ payload, key, value, version: headers['version'] });
      }

      @MessagePattern(requests)
      price({ sku }: { readonly sku: string }): unknown {
        if (sku === 'none') throw new RpcException({ code: 'NO_SUCH_SKU' });
        return of({ sku, price: 1 }, { sku, price: 2 });
      }
    }
    const options = { serializer: new EnvelopeSerializer(), deserializer: new EnvelopeDeserializer() };
    await apps.service({ controllers: [Prices], options });
    const { client } = await apps.client(options);
    await lastValueFrom(client.emit(events, { sku: 'a' }));
    await until('the event', () => seen.length === 1);
    const value = { payload: { sku: 'a' }, on: events };
    expect(seen).toEqual([{ payload: { sku: 'a' }, key: 'enveloped', value, version: '2' }]);
    expect(await lastValueFrom(client.send(requests, { sku: 'b' }).pipe(toArray()))).toEqual([
      { sku: 'b', price: 1 },
      { sku: 'b', price: 2 },
    ]);
    await expect(firstValueFrom(client.send(requests, { sku: 'none' }))).rejects.toEqual({ code: 'NO_SUCH_SKU' });
  });
});
