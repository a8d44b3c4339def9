import { getEventListeners } from 'node:events';
import { KrafkaClosedError, KrafkaError } from '../../support/index.js';
import type { ProducerRecord, RecordMetadata } from '../record.js';
import { recordsOf, valuesOf } from '../spec-support/fake-broker.js';
import { fakeWorld, watch } from '../spec-support/fake-cluster.js';

describe('a record', () => {
  const longName = 'x'.repeat(250);

  it.each([
    ['a topic with a space', { topic: 'a b', value: 'v' }, 'INVALID_TOPIC_EXCEPTION', '"a b"'],
    ['an empty topic', { topic: '', value: 'v' }, 'INVALID_TOPIC_EXCEPTION', '""'],
    ['the topic ..', { topic: '..', value: 'v' }, 'INVALID_TOPIC_EXCEPTION', '".."'],
    ['a topic of 250 characters', { topic: longName, value: 'v' }, 'INVALID_TOPIC_EXCEPTION', '250'],
    ['a topic that is a number', { topic: 5, value: 'v' }, 'INVALID_TOPIC_EXCEPTION', 'got a number'],
    ['no topic', { value: 'v' }, 'INVALID_TOPIC_EXCEPTION', 'undefined'],
    ['a value that is a number', { topic: 't', value: 5 }, 'SERIALIZATION', 'value'],
    ['a value that is an object', { topic: 't', value: { a: 1 } }, 'SERIALIZATION', 'value'],
    ['no value', { topic: 't' }, 'SERIALIZATION', 'value'],
    ['a key that is a number', { topic: 't', key: 5, value: 'v' }, 'SERIALIZATION', 'key'],
    ['a negative partition', { topic: 't', partition: -1, value: 'v' }, 'UNKNOWN_TOPIC_OR_PARTITION', '-1'],
    ['half a partition', { topic: 't', partition: 0.5, value: 'v' }, 'UNKNOWN_TOPIC_OR_PARTITION', '0.5'],
    ['an unsafe timestamp', { topic: 't', timestamp: 2 ** 60, value: 'v' }, 'INVALID_TIMESTAMP', 'timestamp'],
    ['a negative timestamp', { topic: 't', timestamp: -5, value: 'v' }, 'INVALID_TIMESTAMP', '-5'],
    ['a timestamp that is text', { topic: 't', timestamp: '5', value: 'v' }, 'INVALID_TIMESTAMP', 'string'],
    ['a header that is a number', { topic: 't', headers: { h: 5 }, value: 'v' }, 'SERIALIZATION', "'h'"],
    ['nothing', null, 'SERIALIZATION', 'null'],
  ])('with %s is a typed error that names the thing, and its neighbours go on', async (_what, bad, code, names) => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    broker.onProduce = (produce) => produce.answer();
    const before = watch(producer.send({ topic: 't', partition: 0, value: 'before' }));
    const refused = watch(producer.send(bad as unknown as ProducerRecord));
    const after = watch(producer.send({ topic: 't', partition: 0, value: 'after' }));
    await clock.settle();
    expect(refused.reason).toBeInstanceOf(KrafkaError);
    expect(refused.reason).toMatchObject({ code });
    expect(refused.reason?.message).toContain(names);
    expect([before.state, after.state]).toEqual(['fulfilled', 'fulfilled']);
    expect(await valuesOf(broker.produced[0]!.batches[0]!)).toEqual(['before', 'after']);
  });

  it.each([
    ['text in an object', { password: 'hunter2' }, 'hunter2'],
    ['a number', 31_337, '31337'],
  ])('is never named by its content in an error: %s', async (_what, value, secret) => {
    const { clock, producer } = fakeWorld();
    const record = { topic: 't', value } as unknown as ProducerRecord;
    const refused = [watch(producer.send(record)), watch(producer.sendAll([record]))];
    await clock.settle();
    for (const { reason } of refused) {
      expect(reason?.message).toContain('value');
      expect(reason?.message).not.toContain(secret);
    }
  });

  it('that can not be one refuses its whole sendAll before anything is sent', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const refused = watch(
      producer.sendAll([
        { topic: 't', value: 'a' },
        { topic: 't', value: 5 as unknown as string },
      ]),
    );
    const settled = watch(
      producer.sendAllSettled([
        { topic: 't', value: 'a' },
        { topic: 'b d', value: 'b' },
      ]),
    );
    await clock.settle();
    expect(refused.reason).toMatchObject({ code: 'SERIALIZATION' });
    expect(settled.reason).toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' });
    expect(broker.produced).toHaveLength(0);
  });

  it("is written as it was given: no key is invented, null stays a tombstone, and the caller's object is not touched", async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const record = Object.freeze({
      topic: 't',
      partition: 3,
      value: null,
      headers: Object.freeze({ a: ['1', '2'], b: null }),
    });
    void producer.send(record);
    await clock.settle();
    const [read] = await recordsOf(broker.produced[0]!.batches[0]!);
    expect(read?.key).toBeNull();
    expect(read?.value).toBeNull();
    expect(Object.keys(read!.headers)).toEqual(['a', 'b']);
    expect(record).toEqual({ topic: 't', partition: 3, value: null, headers: { a: ['1', '2'], b: null } });
  });

  it('of bytes is copied once, and may be changed by its owner as soon as it is encoded', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const value = Buffer.from('before');
    void producer.send({ topic: 't', partition: 0, value });
    value.fill('x');
    await clock.settle();
    expect(await valuesOf(broker.produced[0]!.batches[0]!)).toEqual(['before']);
  });
});

describe('sendAll', () => {
  it('answers in the order given, over topics and partitions', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    cluster.topicHas('u', [1]);
    const sent = watch(
      producer.sendAll([
        { topic: 't', partition: 1, value: 'a' },
        { topic: 'u', value: 'b' },
        { topic: 't', partition: 0, value: 'c' },
        { topic: 't', partition: 1, value: 'd' },
      ]),
    );
    await clock.settle();
    broker.onWire[0]?.answer(({ topic, partition }) => ({ baseOffset: topic === 'u' ? 500 : partition * 100 }));
    await clock.settle();
    expect(sent.value?.map(({ topic, partition, offset }) => `${topic}${partition}@${offset}`)).toEqual([
      't1@100',
      'u0@500',
      't0@0',
      't1@101',
    ]);
  });

  it('of nothing is done at once', async () => {
    const { producer } = fakeWorld();
    expect(await producer.sendAll([])).toEqual([]);
    expect(await producer.sendAllSettled([])).toEqual([]);
  });

  it('rejects with the first failure in its order, once all of its records are settled', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 }, { brokers: 1 });
    const records = [0, 1, 2].map((partition) => ({ topic: 't', partition, value: 'v' }));
    const sent = watch(producer.sendAll(records));
    await clock.settle();
    const [produce] = broker.onWire;
    produce?.answer(({ partition }) => (['NONE', 'INVALID_RECORD', 'TOPIC_AUTHORIZATION_FAILED'] as const)[partition]!);
    await clock.settle();
    expect(sent.reason).toMatchObject({ code: 'INVALID_RECORD', topic: 't', partition: 1 });
  });

  it('settled tells the outcome of each', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.sendAllSettled([0, 1].map((partition) => ({ topic: 't', partition, value: 'v' }))));
    await clock.settle();
    broker.onWire[0]?.answer(({ partition }) => (partition === 0 ? { baseOffset: 3 } : 'INVALID_RECORD'));
    await clock.settle();
    expect(sent.value).toMatchObject([
      { status: 'fulfilled', value: { partition: 0, offset: 3 } },
      { status: 'rejected', reason: { code: 'INVALID_RECORD' } },
    ]);
  });

  it('with a record that is too large sends the others', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, maxRequestSize: 2_000, batchSize: 2_000 });
    broker.onProduce = (produce) => produce.answer();
    const values = ['a', 'x'.repeat(3_000), 'b'];
    const sent = watch(producer.sendAllSettled(values.map((value) => ({ topic: 't', partition: 0, value }))));
    await clock.settle();
    expect(sent.value?.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('serializers', () => {
  const json = { serialize: (content: unknown) => JSON.stringify(content) };

  it('turn keys and values into what is written, and are told what for', async () => {
    const seen: unknown[] = [];
    const { clock, producer, broker } = fakeWorld<{ id: number }, { n: number }>({
      lingerMs: 0,
      keySerializer: {
        serialize: (key, context) => {
          seen.push(context);
          return `id-${key.id}`;
        },
      },
      valueSerializer: json,
    });
    void producer.send({ topic: 't', key: { id: 5 }, value: { n: 1 }, headers: { h: '1' } });
    await clock.settle();
    const [read] = await recordsOf(broker.produced[0]!.batches[0]!);
    expect([read?.key?.toString(), read?.value?.toString()]).toEqual(['id-5', '{"n":1}']);
    expect(seen).toEqual([{ topic: 't', part: 'key', headers: { h: '1' } }]);
  });

  it('never see null: a tombstone bypasses them', async () => {
    const serialize = (): string => {
      throw new Error('must not be called');
    };
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      keySerializer: { serialize },
      valueSerializer: { serialize },
    });
    void producer.send({ topic: 't', key: null, value: null });
    await clock.settle();
    const [read] = await recordsOf(broker.produced[0]!.batches[0]!);
    expect([read?.key, read?.value]).toEqual([null, null]);
  });

  it('leave no promise unheard where that of a value throws while that of a key will reject', async () => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', hear);
    const { producer } = fakeWorld<string, string>({
      keySerializer: { serialize: () => Promise.reject(new Error('no key')) },
      valueSerializer: {
        serialize: () => {
          throw new Error('no value');
        },
      },
    });
    await expect(producer.send({ topic: 't', key: 'k', value: 'v' })).rejects.toThrow(/value .* no value/);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', hear);
    expect(unheard).toEqual([]);
  });

  it('may take their time: records of a topic keep their order, and other topics do not wait', async () => {
    const pending: (() => void)[] = [];
    const { clock, cluster, producer, broker } = fakeWorld<string, string>({
      lingerMs: 0,
      valueSerializer: {
        serialize: (value, { topic }) =>
          topic === 't' && value === 'slow' ? new Promise((resolve) => pending.push(() => resolve(value))) : value,
      },
    });
    cluster.topicHas('u', [1]);
    const values: (string | null)[] = [];
    broker.onProduce = (produce) => produce.answer();
    for (const value of ['slow', 'quick']) void producer.send({ topic: 't', partition: 0, value });
    const other = watch(producer.send({ topic: 'u', value: 'other' }));
    await clock.settle();
    expect(other.state).toBe('fulfilled');
    expect(broker.produced).toHaveLength(1);
    pending[0]?.();
    await clock.settle();
    for (const { batches } of broker.produced.slice(1))
      for (const batch of batches) values.push(...(await valuesOf(batch)));
    expect(values).toEqual(['slow', 'quick']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ])('one that %s fails its own record with a typed error', async (_how, fail) => {
    const { clock, producer, broker } = fakeWorld<string, string>({
      lingerMs: 0,
      valueSerializer: { serialize: (value) => (value === 'bad' ? fail() : value) },
    });
    broker.onProduce = (produce) => produce.answer();
    const sent = ['a', 'bad', 'b'].map((value) => watch(producer.send({ topic: 't', partition: 0, value })));
    await clock.settle();
    expect(sent.map(({ state }) => state)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(sent[1]?.reason).toMatchObject({ code: 'SERIALIZATION', cause: { message: 'boom' } });
  });

  it('that answers with something else is a typed error', async () => {
    const { clock, producer } = fakeWorld<string, string>({
      valueSerializer: { serialize: () => 5 as unknown as string },
    });
    const sent = watch(producer.send({ topic: 't', value: 'a' }));
    await clock.settle();
    expect(sent.reason).toMatchObject({ code: 'SERIALIZATION' });
  });

  it('that never answers is given up after maxBlockMs, and does not hold the next', async () => {
    const { clock, producer, broker } = fakeWorld<string, string>({
      lingerMs: 0,
      accumulator: { maxBlockMs: 1_000 },
      valueSerializer: { serialize: (value) => (value === 'never' ? new Promise<string>(() => undefined) : value) },
    });
    broker.onProduce = (produce) => produce.answer();
    const stuck = watch(producer.send({ topic: 't', partition: 0, value: 'never' }));
    await clock.advance(500);
    const next = watch(producer.send({ topic: 't', partition: 0, value: 'next' }));
    await clock.advance(500);
    expect(stuck.reason).toMatchObject({ code: 'TIMEOUT', budget: 'maxBlockMs' });
    expect(next.state).toBe('fulfilled');
  });
});

describe('interceptors', () => {
  it('see each record on its way out, in turn, and each outcome', async () => {
    const outcomes: [string, RecordMetadata | undefined, string | undefined][] = [];
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      interceptors: [
        { onSend: (record) => ({ ...record, value: `${String(record.value)}1` }) },
        {
          onSend: (record) => ({ ...record, value: `${String(record.value)}2` }),
          onAcknowledgement: ({ metadata, error }, record) =>
            outcomes.push([String(record.value), metadata, (error as KrafkaError | undefined)?.code]),
        },
      ],
    });
    void producer.send({ topic: 't', partition: 0, value: 'a' });
    const refused = watch(producer.sendAll([{ topic: 't', partition: 1, value: 'b' }]));
    await clock.settle();
    expect(await valuesOf(broker.onWire[0]!.batches[0]!)).toEqual(['a12']);
    broker.onWire[0]?.answer(({ partition }) => (partition === 0 ? { baseOffset: 8 } : 'INVALID_RECORD'));
    await clock.settle();
    expect(outcomes).toMatchObject([
      ['a12', { partition: 0, offset: 8 }, undefined],
      ['b12', undefined, 'INVALID_RECORD'],
    ]);
    expect(refused.reason).toMatchObject({ code: 'INVALID_RECORD' });
  });

  it('one that throws on the way out fails that send alone', async () => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      interceptors: [
        {
          onSend: (record) => {
            if (record.value === 'bad') throw new Error('boom');
            return record;
          },
        },
      ],
    });
    broker.onProduce = (produce) => produce.answer();
    const sent = ['a', 'bad', 'b'].map((value) => watch(producer.send({ topic: 't', partition: 0, value })));
    await clock.settle();
    expect(sent.map(({ state }) => state)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(sent[1]?.reason).toMatchObject({ code: 'INTERCEPTOR', cause: { message: 'boom' } });
  });

  it('one that throws on the way out is heard of by those that saw the record before it, and by no other', async () => {
    const heard: string[] = [];
    const hears = (name: string) => ({
      onAcknowledgement: ({ error }: { error?: Error }, { value }: ProducerRecord) =>
        void heard.push(`${name} ${String(value)} ${(error as KrafkaError).code}`),
    });
    const { clock, producer } = fakeWorld({
      interceptors: [
        { onSend: (record) => ({ ...record, value: `${String(record.value)}1` }), ...hears('first') },
        {
          onSend: () => {
            throw new Error('boom');
          },
          ...hears('second'),
        },
        { onSend: (record) => record, ...hears('third') },
      ],
    });
    watch(producer.send({ topic: 't', value: 'a' }));
    watch(producer.sendAll([{ topic: 't', value: 'b' }]));
    await clock.settle();
    expect(heard).toEqual(['first a1 INTERCEPTOR', 'first b1 INTERCEPTOR']);
  });

  it('may fill in what a record lacks, of send and of sendAll', async () => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      interceptors: [{ onSend: (record) => ({ ...record, topic: 't', partition: 0 }) }],
    });
    broker.onProduce = (produce) => produce.answer();
    const sent = watch(producer.send({ value: 'a' } as ProducerRecord));
    const all = watch(producer.sendAll([{ value: 'b' } as ProducerRecord]));
    await clock.settle();
    expect([sent.state, all.state]).toEqual(['fulfilled', 'fulfilled']);
  });

  it('of which one makes something that can be no record have none of a sendAll sent, and hear of each', async () => {
    const heard: unknown[] = [];
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      interceptors: [
        {
          onSend: (record) => (record.value === 'bad' ? { ...record, topic: 'no topic' } : record),
          onAcknowledgement: ({ error }, { value }) => void heard.push([value, (error as KrafkaError).code]),
        },
      ],
    });
    const sent = watch(producer.sendAll(['a', 'bad'].map((value) => ({ topic: 't', partition: 0, value }))));
    await clock.settle();
    expect(sent.reason).toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' });
    expect(broker.produced).toHaveLength(0);
    expect(heard).toEqual([
      ['a', 'INVALID_TOPIC_EXCEPTION'],
      ['bad', 'INVALID_TOPIC_EXCEPTION'],
    ]);
  });

  it('one that throws on an acknowledgement is counted, not felt', async () => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      interceptors: [
        {
          onAcknowledgement: () => {
            throw new Error('boom');
          },
        },
      ],
    });
    broker.onProduce = (produce) => produce.answer();
    const sent = watch(producer.send({ topic: 't', value: 'a' }));
    await clock.settle();
    expect(sent.state).toBe('fulfilled');
    expect(producer.stats().interceptorErrors).toBe(1);
  });
});

describe('an abort signal', () => {
  it('that is aborted sends nothing', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const reason = new Error('stop');
    const sent = watch(producer.send({ topic: 't', value: 'a' }, { signal: AbortSignal.abort(reason) }));
    const all = watch(producer.sendAll([{ topic: 't', value: 'a' }], { signal: AbortSignal.abort(reason) }));
    await clock.settle();
    expect([sent.reason, all.reason]).toEqual([reason, reason]);
    expect(broker.produced).toHaveLength(0);
  });

  it('takes a send back that still waits, and those behind it go on', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    const abort = new AbortController();
    const sent = watch(producer.send({ topic: 'new', partition: 0, value: 'a' }, { signal: abort.signal }));
    const all = watch(producer.sendAll([{ topic: 'new', partition: 0, value: 'b' }], { signal: abort.signal }));
    const behind = watch(producer.send({ topic: 'new', partition: 0, value: 'c' }));
    await clock.settle();
    abort.abort(new Error('stop'));
    await clock.settle();
    expect([sent.reason?.message, all.reason?.message]).toEqual(['stop', 'stop']);
    expect(producer.stats().waitingSends).toBe(1);
    cluster.topicHas('new', [1]);
    await clock.settle();
    expect(await valuesOf(broker.onWire[0]!.batches[0]!)).toEqual(['c']);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(behind.state).toBe('fulfilled');
  });

  it('ends the waiting for one that is under way, which is written all the same', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const abort = new AbortController();
    const sent = watch(producer.send({ topic: 't', partition: 0, value: 'a' }, { signal: abort.signal }));
    const neighbour = watch(producer.send({ topic: 't', partition: 0, value: 'b' }));
    await clock.settle();
    abort.abort(new Error('stop'));
    await clock.settle();
    expect(sent.reason?.message).toBe('stop');
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(neighbour.state).toBe('fulfilled');
    expect(producer.stats().records).toBe(2);
  });

  it('has one listener for all who share it, which is let go of when the last of their sends is settled', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const { signal } = new AbortController();
    broker.onProduce = (produce) => produce.answer();
    for (let index = 0; index < 20; index++) {
      void producer.send({ topic: 't', value: 'a' }, { signal });
      void producer.sendAll([{ topic: 't', value: 'b' }], { signal });
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await clock.settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('that is shared ends the waiting of all who share it', async () => {
    const { clock, producer } = fakeWorld({ lingerMs: 0 });
    const abort = new AbortController();
    const waiting = ['a', 'b'].map((value) => watch(producer.send({ topic: 'new', value }, { signal: abort.signal })));
    await clock.settle();
    abort.abort(new Error('stop'));
    await clock.settle();
    expect(waiting.map(({ reason }) => reason?.message)).toEqual(['stop', 'stop']);
    expect(producer.stats().waitingSends).toBe(0);
  });

  it('is let go of by a sendAll that fails before it returns', async () => {
    const { clock, producer } = fakeWorld({ lingerMs: 0 });
    const { signal } = new AbortController();
    const failed = watch(producer.sendAll([{ topic: 't', value: Buffer.alloc(2_000_000) }], { signal }));
    await clock.settle();
    expect(failed.reason).toMatchObject({ code: 'RECORD_TOO_LARGE' });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('a closed producer', () => {
  it('refuses every send with a typed error', async () => {
    const { producer } = fakeWorld();
    await producer.close();
    await expect(producer.send({ topic: 't', value: 'a' })).rejects.toBeInstanceOf(KrafkaClosedError);
    await expect(producer.sendAll([{ topic: 't', value: 'a' }])).rejects.toBeInstanceOf(KrafkaClosedError);
    await expect(producer.sendAllSettled([])).rejects.toBeInstanceOf(KrafkaClosedError);
  });
});
