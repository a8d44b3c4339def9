import { inspect } from 'node:util';
import { rewriteBaseOffset, type ConsumerRecord } from './index.js';
import { batchOf, recordsIn, type TestRecord } from './spec-support/batches.js';

async function received(record: TestRecord): Promise<ConsumerRecord> {
  const [first] = await recordsIn(rewriteBaseOffset(await batchOf([record]), 42, 6));
  if (first === undefined) throw new Error('no record');
  return first;
}

describe('a consumed record', () => {
  it('tells where it comes from and what is in it', async () => {
    const record = await received({ timestamp: 1_234, key: 'clé', value: 'värde', headers: { a: 'b' } });
    expect(record).toMatchObject({ topic: 'orders', partition: 3, offset: 42, timestamp: 1_234, leaderEpoch: 6 });
    expect(record.timestampType).toBe('CreateTime');
    expect(record.key).toEqual(Buffer.from('clé'));
    expect(record.value).toEqual(Buffer.from('värde'));
    expect([record.keyText, record.valueText]).toEqual(['clé', 'värde']);
    expect(record.headers).toEqual({ a: Buffer.from('b') });
  });

  it('tells null from empty', async () => {
    const nothing = await received({ key: null, value: null });
    expect([nothing.key, nothing.value, nothing.keyText, nothing.valueText]).toEqual([null, null, null, null]);
    const empty = await received({ key: '', value: '' });
    expect([empty.key?.length, empty.value?.length, empty.keyText, empty.valueText]).toEqual([0, 0, '', '']);
  });

  it('makes each view once', async () => {
    const record = await received({ key: 'k', value: 'v', headers: { a: 'b' } });
    expect(record.key).toBe(record.key);
    expect(record.value).toBe(record.value);
    expect(record.headers).toBe(record.headers);
  });

  it('has an array where a header was repeated, in order', async () => {
    const { headers } = await received({ headers: { one: '1', many: ['a', null, 'c'], none: [], null: null } });
    expect(headers).toEqual({
      one: Buffer.from('1'),
      many: [Buffer.from('a'), null, Buffer.from('c')],
      null: null,
    });
  });

  it('finds nothing but headers by the names of headers', async () => {
    const plain = await received({});
    const hostile = await received({
      headers: JSON.parse('{"__proto__":"x","constructor":"y"}') as TestRecord['headers'],
    });
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(plain.headers[name]).toBeUndefined();
      expect(name in plain.headers).toBe(false);
    }
    expect(Object.keys(hostile.headers)).toEqual(['__proto__', 'constructor']);
    expect(hostile.headers['__proto__']).toEqual(Buffer.from('x'));
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('is whole in JSON', async () => {
    const record = await received({ timestamp: 5, key: 'k', value: null, headers: { a: 'b' } });
    expect(JSON.parse(JSON.stringify(record))).toEqual({
      topic: 'orders',
      partition: 3,
      offset: 42,
      timestamp: 5,
      timestampType: 'CreateTime',
      leaderEpoch: 6,
      key: { type: 'Buffer', data: [0x6b] },
      value: null,
      headers: { a: { type: 'Buffer', data: [0x62] } },
    });
  });

  it('shows itself whole when it is printed', async () => {
    const printed = inspect(await received({ key: 'k', value: null, headers: { a: 'b' } }));
    for (const part of [
      "topic: 'orders'",
      'partition: 3',
      'offset: 42',
      'key: <Buffer 6b>',
      'value: null',
      'a: <Buffer',
    ]) {
      expect(printed).toContain(part);
    }
  });
});

describe('a detached record', () => {
  it('is the same record on bytes of its own', async () => {
    const batch = await batchOf([
      { value: 'before' },
      { timestamp: 9, key: 'k', value: 'v', headers: { a: ['b', 'c'] } },
    ]);
    // Not from Node's pool of small buffers, in which everything may share one.
    const frame = Buffer.alloc(batch.length);
    batch.copy(frame);
    const record = (await recordsIn(frame))[1] as ConsumerRecord;
    expect(record.value?.buffer).toBe(frame.buffer);
    const detached = record.detach();
    frame.fill(0);
    expect(detached).toMatchObject({ topic: 'orders', partition: 3, offset: 1, timestamp: 9, leaderEpoch: -1 });
    expect([detached.keyText, detached.valueText]).toEqual(['k', 'v']);
    expect(detached.headers).toEqual({ a: [Buffer.from('b'), Buffer.from('c')] });
    expect(detached.value?.buffer).not.toBe(frame.buffer);
    expect(detached.timestampType).toBe('CreateTime');
  });
});
