import { KrafkaSerializationError } from '../../core/support/index.js';
import { aRecord } from '../spec-support/records.js';
import { Payloads } from './payloads.js';
import { schemaRegistrySerde, type SchemaCodec, type SchemaRegistry } from './schema-registry.js';
import { checkSerdes, jsonSerde, rawSerde, type KrafkaSerde } from './serde.js';

const shouting: KrafkaSerde = {
  serialize: (value) => String(value).toUpperCase(),
  deserialize: (bytes) => `${bytes.toString()}!`,
};

describe('Payloads', () => {
  it("follow the rules of Nest's transport where nobody says otherwise, without a promise", () => {
    const payloads = new Payloads();
    expect(payloads.encode('t', { a: 1 })).toEqual({ key: null, value: '{"a":1}', headers: {} });
    expect(payloads.decode(aRecord({ value: '{"a":1}' }))).toEqual({ a: 1 });
  });

  it("follow a topic's own serde, which holds for its replies too", () => {
    const payloads = new Payloads({ serde: { topics: { loud: shouting } } });
    expect(payloads.encode('loud', 'a')).toMatchObject({ value: 'A' });
    expect(payloads.encode('loud.reply', 'a')).toMatchObject({ value: 'A' });
    expect(payloads.encode('other', 'a')).toMatchObject({ value: 'a' });
    expect(payloads.decode(aRecord({ topic: 'loud', value: 'a' }))).toBe('a!');
    expect(payloads.decode(aRecord({ topic: 'other', value: 'a' }))).toBe('a');
  });

  it('leave keys, headers and tombstones to the transport', () => {
    const payloads = new Payloads({ serde: { default: shouting } });
    const message = { key: 'k', value: 'v', headers: { h: 'x' }, partition: 2 };
    expect(payloads.encode('t', message)).toEqual({ ...message, value: 'V' });
    expect(payloads.encode('t', { key: 'k', value: null })).toMatchObject({ key: 'k', value: null });
    expect(payloads.decode(aRecord({ value: null }))).toBeNull();
  });

  it("take serializers that were written for Nest's transport", async () => {
    const payloads = new Payloads({
      serializer: {
        serialize: async (value, options) => ({ value: JSON.stringify({ value, options }), headers: { v: '1' } }),
      },
      deserializer: { deserialize: async (message) => ({ pattern: 'x', data: (message as { value: unknown }).value }) },
    });
    expect(await payloads.encode('t', 1)).toEqual({
      key: null,
      value: '{"value":1,"options":{"pattern":"t"}}',
      headers: { v: '1' },
    });
    expect(await payloads.decode(aRecord({ value: '{"a":1}' }))).toEqual({ a: 1 });
    const reply = new Payloads({ deserializer: { deserialize: () => ({ id: 'c', response: 7 }) } });
    expect(reply.decode(aRecord({ value: 'x' }))).toBe(7);
  });

  it('are bytes in and bytes out with the raw serde', () => {
    const payloads = new Payloads({ serde: { default: rawSerde } });
    expect(payloads.encode('t', Buffer.from([1, 2]))).toMatchObject({ value: Buffer.from([1, 2]) });
    expect(payloads.decode(aRecord({ value: '{"a":1}' }))).toEqual(Buffer.from('{"a":1}'));
    expect(() => payloads.encode('t', { a: 1 })).toThrow(KrafkaSerializationError);
  });

  it('are JSON and nothing else with the JSON serde', () => {
    const payloads = new Payloads({ serde: { default: jsonSerde } });
    expect(payloads.encode('t', 'text')).toMatchObject({ value: '"text"' });
    expect(payloads.decode(aRecord({ value: '"text"' }))).toBe('text');
    expect(() => payloads.decode(aRecord({ value: '{a' }))).toThrow("a payload of 'orders' is no JSON");
    expect(() => payloads.encode('t', () => 1)).toThrow(KrafkaSerializationError);
  });
});

describe('A serde with a schema registry', () => {
  const json: SchemaCodec = {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
  };
  const reversed: SchemaCodec = {
    encode: async (value) => Buffer.from(Buffer.from(String(value)).toReversed()),
    decode: (bytes) => Buffer.from(bytes.toReversed()).toString(),
  };
  const registry: SchemaRegistry = {
    schemaFor: async (value) => (typeof value === 'string' ? { id: 258, codec: reversed } : { id: 1, codec: json }),
    schemaOf: async (id) =>
      new Map([
        [1, json],
        [258, reversed],
      ]).get(id),
  };
  const payloads = new Payloads({ serde: { default: schemaRegistrySerde(registry) } });

  it('writes a zero byte and the id before what the codec writes, and reads it again', async () => {
    const { value } = await payloads.encode('t', 'abc');
    expect(value).toEqual(Buffer.from([0, 0, 0, 1, 2, ...Buffer.from('cba')]));
    expect(await payloads.decode(aRecord({ value }))).toBe('abc');
    const other = await payloads.encode('t', { value: { a: 1 } });
    expect(await payloads.decode(aRecord({ value: other.value }))).toEqual({ a: 1 });
  });

  it.each([
    ['text', 'no envelope', 'has no schema envelope'],
    ['too few bytes', Buffer.from([0, 0, 0]), 'has no schema envelope'],
    ['an unknown id', Buffer.from([0, 0, 0, 0, 9, 1]), 'names the schema 9'],
  ])('refuses %s for good', async (_what, value, problem) => {
    const decoding = payloads.decode(aRecord({ value }));
    await expect(decoding).rejects.toThrow(problem);
    await expect(payloads.decode(aRecord({ value }))).rejects.toBeInstanceOf(KrafkaSerializationError);
  });
});

describe('The option serde', () => {
  it('is one for all topics, or some by topic', () => {
    expect(checkSerdes(undefined, 'serde')).toEqual({});
    expect(checkSerdes(rawSerde, 'serde')).toEqual({ default: rawSerde });
    expect(checkSerdes({ topics: { a: rawSerde } }, 'serde')).toEqual({ default: undefined, topics: { a: rawSerde } });
  });

  it.each([
    ['text', 'json', "'serde' must have serialize() and deserialize()"],
    ['half a serde', { default: { serialize: () => '' } }, "'serde.default' must have"],
    ['a topic without one', { topics: { a: 1 } }, "'serde.topics.a' must have"],
    ['a misspelt key', { topic: {} }, "'serde.topic' is not known"],
  ])('refuses %s by its path', (_what, given, problem) => {
    expect(() => checkSerdes(given, 'serde')).toThrow(problem);
  });
});
