import { aRecord } from '../spec-support/records.js';
import { headerBytes, headerText, parseHeaders, parseValue, parseValueOf } from './incoming-value.js';

const parse = (text: string): unknown => parseValue(Buffer.from(text));

describe('What a handler is given', () => {
  it('is parsed JSON where the text begins like an object or an array and is one', () => {
    expect(parse('{"a":1}')).toEqual({ a: 1 });
    expect(parse('[1]')).toEqual([1]);
  });

  it('is the text where it is no such JSON', () => {
    for (const text of ['', 'plain', '12', 'true', '"quoted"', '{broken', '[1', ' {"a":1}'])
      expect(parse(text)).toBe(text);
  });

  it('is a copy of the bytes where they begin with zero', () => {
    const bytes = Buffer.from([0, 123, 125]);
    const value = parseValue(bytes) as Buffer;
    expect(value).toEqual(bytes);
    bytes[1] = 0;
    expect(value[1]).toBe(123);
  });

  it('is null for a tombstone', () => {
    expect(parseValue(null)).toBeNull();
    expect(parseValue(undefined)).toBeNull();
  });

  it('is the same whether the record or its bytes are asked', () => {
    const values = [
      '',
      'plain',
      '{"a":[1]}',
      '[1]',
      '{broken',
      'é{',
      null,
      Buffer.from([0, 1]),
      Buffer.from([255, 123]),
    ];
    for (const value of values) {
      const record = aRecord({ value });
      expect(parseValueOf(record)).toEqual(parseValue(record.value));
    }
  });

  it('has parsed headers, an array where one is repeated', () => {
    const { headers } = aRecord({
      headers: { a: 'x', json: '{"b":1}', none: null, many: ['1', '[2]'], __proto__x: 'y' },
    });
    expect(parseHeaders(headers)).toEqual({ a: 'x', json: { b: 1 }, none: null, many: ['1', [2]], __proto__x: 'y' });
    expect(headerText(headers, 'many')).toBe('1');
    expect(headerText(headers, 'none')).toBeUndefined();
    expect(headerBytes(headers, 'none')).toBeNull();
    expect(headerBytes(headers, 'toString')).toBeUndefined();
  });
});
