import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import type { ConsumerOptions } from '../../core/consumer/index.js';
import { Deferred, seededRandom, silentLogger } from '../../core/support/index.js';
import { checkClientOptions, type KrafkaClientOptions } from '../options.js';
import type { SharedKrafka } from '../shared-krafka.js';
import { KeepingProducer } from '../spec-support/delivery.js';
import { HandClock, turns } from '../spec-support/hand-clock.js';
import { HandConsumer } from '../spec-support/hand-consumer.js';
import { aRecord } from '../spec-support/records.js';
import { KrafkaClient } from './krafka-client.js';
import { KrafkaRecordBuilder } from './krafka-record.js';

const NEVER = new Promise<number>(() => undefined);

/** A client of a module, on a core that does what a test makes it do. */
function setUp(options: Partial<KrafkaClientOptions> = {}) {
  const clock = new HandClock();
  const known = new Set(['price']);
  const producer = new KeepingProducer();
  const consumers: HandConsumer[] = [];
  const shared = {
    ports: { clock, random: seededRandom(1), logger: silentLogger },
    producer,
    topics: { ensure: ({ name }: { name: string }) => (name === 'stuck.reply' ? NEVER : Promise.resolve(1)) },
    knows: (topic: string) => known.has(topic),
    consumer: (consumerOptions: ConsumerOptions) => {
      const consumer = new HandConsumer(consumerOptions);
      consumers.push(consumer);
      return consumer.consumer;
    },
  } as unknown as SharedKrafka;
  const settings = checkClientOptions({ brokers: 'b', logger: silentLogger, ...options });
  const client = new KrafkaClient(settings, { shared });
  /** Answers the last request, on what reads replies now. */
  const answer = (value: string): void => {
    const headers = { ...(producer.sent.at(-1)?.headers as Record<string, string>), 'kafka_nest-is-disposed': 'true' };
    void consumers.at(-1)?.hand(aRecord({ topic: 'price.reply', value, headers }));
  };
  return { client, clock, producer, consumers, answer };
}

/** A serde whose values become bytes when a test says so. */
function slowly() {
  const bytes = new Deferred<string>();
  return { bytes, serde: { serialize: () => bytes.promise, deserialize: (value: Buffer) => value.toString() } };
}

const errors: string[] = [];

beforeEach(() => {
  errors.length = 0;
  jest.spyOn(Logger.prototype, 'error').mockImplementation((message: unknown) => void errors.push(String(message)));
});
afterEach(() => void jest.restoreAllMocks());

describe('A client whose replies can not be read any more', () => {
  it('says so, fails what waits, and starts over with the next request', async () => {
    const { client, consumers, producer, answer } = setUp();
    const told: unknown[] = [];
    client.on('crashed', ({ error }) => told.push(error.message));
    client.status.subscribe((status) => told.push(status));
    const waiting = firstValueFrom(client.send('price', 1));
    waiting.catch(() => undefined);
    await turns();
    expect(producer.sent).toHaveLength(1);
    consumers[0]?.crash(new Error('corrupt'));
    await expect(waiting).rejects.toThrow('corrupt');
    expect(told).toEqual(['crashed', 'corrupt']);
    expect({ pending: client.replyStats().pending, closes: consumers[0]?.closes }).toEqual({ pending: 0, closes: 1 });
    const again = firstValueFrom(client.send('price', 2));
    await turns();
    expect(consumers).toHaveLength(2);
    answer('done');
    expect(await again).toBe('done');
  });
});

describe('A request whose time has passed', () => {
  it('says what it waited for: the reply, a broker, a topic that is missing, its reply partition', async () => {
    const { client, clock, producer } = setUp({ requestTimeoutMs: 100 });
    const waitedFor = async (pattern: string): Promise<unknown> => {
      const failure = firstValueFrom(client.send(pattern, 1)).catch((error: { waitedFor: string }) => error.waitedFor);
      await clock.pass(100);
      return failure;
    };
    expect(await waitedFor('price')).toBe("the reply to a request on 'price'");
    expect(await waitedFor('cost')).toBe("topic 'cost' to be there, which no broker knows");
    producer.before = () => new Promise(() => undefined);
    expect(await waitedFor('price')).toBe("a broker to take a request on 'price'");
    expect(await waitedFor('stuck')).toBe(
      "a partition of 'stuck.reply' to be read, for the reply to a request on 'stuck'",
    );
  });
});

describe('A call whose argument has another shape', () => {
  it('is refused by name: messages, offsets', async () => {
    const { client, producer } = setUp();
    const batch = firstValueFrom(client.emitBatch('orders', ['a', 'b'] as never));
    await expect(batch).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'messages' });
    const offset = { topic: 'orders', partition: 0, offset: 1 };
    await expect(client.commitOffsets(offset as never)).rejects.toMatchObject({ option: 'offsets' });
    expect(producer.sent).toEqual([]);
  });
});

describe('A client that closes', () => {
  it('has the events handed over that are still being serialized', async () => {
    const { bytes, serde } = slowly();
    const { client, producer } = setUp({ serde });
    const order: string[] = [];
    const emitting = lastValueFrom(client.emit('orders', 1)).then(() => order.push('emitted'));
    const closing = client.close().then(() => order.push('closed'));
    await turns();
    expect(order).toEqual([]);
    bytes.resolve('one');
    await Promise.all([emitting, closing]);
    expect(order).toEqual(['emitted', 'closed']);
    expect(producer.sent).toMatchObject([{ topic: 'orders', value: 'one' }]);
  });

  it('does not wait for ever for a serializer, and tells what that costs', async () => {
    const { client, clock } = setUp({ serde: slowly().serde });
    client.emit('orders', 1);
    const closing = client.close();
    await clock.pass(10_000);
    await closing;
    expect(errors).toEqual([expect.stringContaining('waiting for serializers to end')]);
    expect(clock.waits).toEqual([]);
  });
});

describe('A request whose signal has aborted', () => {
  it('is not even serialized: nobody would hear of a failure of that', async () => {
    const serialize = jest.fn(() => Promise.reject(new Error('the registry is away')));
    const { client } = setUp({ serde: { serialize, deserialize: () => undefined } });
    const record = new KrafkaRecordBuilder(1).setSignal(AbortSignal.abort(new Error('enough'))).build();
    await expect(firstValueFrom(client.send('price', record))).rejects.toThrow('enough');
    expect(serialize).not.toHaveBeenCalled();
  });
});
