import type { ConsumerRecord } from '../../protocol/index.js';
import type { DecodedRecord } from './decoded-record.js';
import type { Deserializer, UndecodablePolicy } from './deserializer.js';
import { RecordDecoder } from './record-decoder.js';
import { Undecodable } from './undecodable.js';

const record = { topic: 't', partition: 0, offset: 7, key: Buffer.from('k'), value: Buffer.from('v'), headers: {} };

const text: Deserializer<unknown> = { deserialize: (bytes) => bytes.toString() };
const lateText: Deserializer<unknown> = { deserialize: async (bytes) => bytes.toString() };
const broken: Deserializer<unknown> = {
  deserialize: (_bytes, { part }) => {
    throw new Error(`no ${part}`);
  },
};
const lateBroken: Deserializer<unknown> = {
  deserialize: async (_bytes, { part }) => {
    await Promise.resolve();
    throw new Error(`no ${part}`);
  },
};

function setUp(policy: UndecodablePolicy, keyDeserializer: Deserializer<unknown>, valueDeserializer = keyDeserializer) {
  const told: string[] = [];
  const decoder = new RecordDecoder({
    keyDeserializer,
    valueDeserializer,
    policy,
    onUndecodable: (_record, { message }) => told.push(message.slice(message.indexOf('no '))),
  });
  const decode = async (): Promise<DecodedRecord | undefined> => decoder.decode(record as unknown as ConsumerRecord);
  return { told, decode };
}

describe('RecordDecoder', () => {
  it.each([
    ['at once', text],
    ['later', lateText],
  ])('reads key and value %s', async (_when, deserializer) => {
    expect(await setUp('fail', deserializer).decode()).toMatchObject({ key: 'k', value: 'v', error: undefined });
  });

  it.each([
    ['a value', 'at once', text, broken, { key: 'k', value: null }, 'no value'],
    ['a value', 'later', lateText, lateBroken, { key: 'k', value: null }, 'no value'],
    ['a value', 'at once, and a key later', lateText, broken, { key: 'k', value: null }, 'no value'],
    ['a key', 'at once', broken, text, { key: null, value: 'v' }, 'no key'],
    ['a key', 'later', lateBroken, text, { key: null, value: 'v' }, 'no key'],
    ['key and value', 'at once', broken, broken, { key: null, value: null }, 'no key'],
    ['key and value', 'later', lateBroken, lateBroken, { key: null, value: null }, 'no key'],
  ])('delivers what can be read beside %s that cannot be, %s', async (_what, _when, key, value, delivered, problem) => {
    const { decode, told } = setUp('deliver', key, value);
    const decoded = await decode();
    expect(decoded).toMatchObject(delivered);
    expect(decoded?.error?.message).toMatch(problem);
    expect(told).toEqual([problem]);
  });

  it.each([
    ['a key fails later, and a value at once', lateBroken, broken],
    ['a key fails at once, and a value later', broken, lateBroken],
  ])('leaves no promise unheard where %s', async (_what, key, value) => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', hear);
    const { decode, told } = setUp('skip', key, value);
    expect(await decode()).toBeUndefined();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', hear);
    expect(unheard).toEqual([]);
    expect(told).toEqual(['no key']);
  });

  it('fails with what the partition fails with', async () => {
    await expect(setUp('fail', broken).decode()).rejects.toBeInstanceOf(Undecodable);
  });
});
