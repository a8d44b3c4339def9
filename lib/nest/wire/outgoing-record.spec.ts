import { KrafkaSerializationError } from '../../core/support/index.js';
import { asMessage, toOutgoingRecord } from './outgoing-record.js';

const valueOf = (data: unknown): unknown => toOutgoingRecord(data).value;

describe('What a payload becomes on the wire', () => {
  it('is JSON for plain objects, arrays and objects without a text of their own', () => {
    class Order {
      constructor(readonly sku: string) {}
    }
    expect(valueOf({ sku: 'a' })).toBe('{"sku":"a"}');
    expect(valueOf([1, 'b'])).toBe('[1,"b"]');
    expect(valueOf(new Order('a'))).toBe('{"sku":"a"}');
    expect(valueOf(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
  });

  it('is what the toString() of a class says, where it has its own', () => {
    class Money {
      toString(): string {
        return 'EUR 5';
      }
    }
    expect(valueOf(new Money())).toBe('EUR 5');
  });

  it('is text for texts, numbers, booleans and big integers, and null for undefined', () => {
    expect(['text', '', 7, -0.5, true, 5n, undefined].map(valueOf)).toEqual([
      'text',
      '',
      '7',
      '-0.5',
      'true',
      '5',
      null,
    ]);
  });

  it('is the bytes themselves for buffers and other byte arrays', () => {
    const bytes = Buffer.from([0, 1, 2]);
    expect(valueOf(bytes)).toBe(bytes);
    expect(valueOf(new Uint8Array([1, 2]))).toEqual(Buffer.from([1, 2]));
  });

  it('takes an object with a key or a value for a message, and leaves that object as it was', () => {
    const message = Object.freeze({ key: { id: 1 }, value: { a: 1 }, headers: Object.freeze({ n: 1 }), partition: 3 });
    expect(toOutgoingRecord(message)).toEqual({ key: '{"id":1}', value: '{"a":1}', headers: { n: '1' }, partition: 3 });
    expect(toOutgoingRecord({ key: 'k' })).toEqual({ key: 'k', value: null, headers: {} });
    expect(toOutgoingRecord({ value: null, timestamp: '1700000000000' })).toEqual({
      key: null,
      value: null,
      headers: {},
      timestamp: 1_700_000_000_000,
    });
  });

  it('refuses a payload that has a key and no value: as a message it would be a tombstone', () => {
    const order = { key: 'k', sku: 'tea' };
    for (const encode of [toOutgoingRecord, asMessage]) {
      expect(() => encode(order)).toThrow(KrafkaSerializationError);
      expect(() => encode(order)).toThrow("'sku' would be lost");
      expect(() =>
        encode({ key: 'k', headers: {}, partition: 1, timestamp: 1, offset: '7', topic: 't' }),
      ).not.toThrow();
    }
    expect(toOutgoingRecord({ value: order })).toMatchObject({ key: null, value: '{"key":"k","sku":"tea"}' });
  });

  it('encodes headers like values, repeats those that are arrays and drops those that are undefined', () => {
    const { headers } = toOutgoingRecord({
      value: 'v',
      headers: { a: 'x', b: Buffer.from('y'), c: ['1', 2], d: { e: 1 }, f: undefined, g: null },
    });
    expect(headers).toEqual({ a: 'x', b: Buffer.from('y'), c: ['1', '2'], d: '{"e":1}', g: null });
  });

  it('keeps a header named like the prototype an ordinary header', () => {
    const { headers } = toOutgoingRecord({ value: 'v', headers: JSON.parse('{"__proto__":"x"}') as object });
    expect(Object.entries(headers)).toEqual([['__proto__', 'x']]);
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
  });

  it('refuses what has no form as bytes', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const data of [circle, { value: circle }, () => 1, Symbol('s'), { value: 1, timestamp: 'soon' }, { a: 5n }]) {
      expect(() => toOutgoingRecord(data)).toThrow(KrafkaSerializationError);
    }
  });
});
