import { KrafkaConfigError } from '../support/index.js';
import { formatAddress, parseBrokers } from './broker-address.js';

const parse = (value: unknown): readonly string[] => parseBrokers(value, 'brokers');
const refusal = (value: unknown): KrafkaConfigError => {
  try {
    parse(value);
  } catch (error) {
    return error as KrafkaConfigError;
  }
  throw new Error(`${JSON.stringify(value)} was taken`);
};

describe('bootstrap addresses', () => {
  it('come as a string with commas or as an array', () => {
    expect(parse('a:1, b:2 ,c:3')).toEqual(['a:1', 'b:2', 'c:3']);
    expect(parse(['a:1', ' b:2'])).toEqual(['a:1', 'b:2']);
  });

  it('have port 9092 where none is named', () => {
    expect(parse('kafka.example.org')).toEqual(['kafka.example.org:9092']);
    expect(parse('[::1]')).toEqual(['[::1]:9092']);
  });

  it('may be IPv6 in brackets', () => {
    expect(parse('[2001:db8::1]:9093,[fe80::1%eth0]:9092')).toEqual(['[2001:db8::1]:9093', '[fe80::1%eth0]:9092']);
  });

  it('are named once however often they are given', () => {
    expect(parse('a:9092,a,b:1')).toEqual(['a:9092', 'b:1']);
  });

  it.each([
    ['::1:9092', 'brackets'],
    ['kafka://a:9092', 'without a scheme'],
    ['a:9092/topic', 'without a scheme or path'],
    ['a:port', 'a port from 1 to 65535'],
    ['a:0', 'a port from 1 to 65535'],
    ['a:65536', 'a port from 1 to 65535'],
    ['a:', 'a port from 1 to 65535'],
    [':9092', 'must be host:port'],
    ['a b:9092', 'must be host:port'],
    ['[::1:9092', 'must be host:port'],
    ['[not-ipv6]:9092', 'must be host:port'],
    ['', 'is empty'],
    [42, 'must be a string'],
    [undefined, 'must be a string'],
    [[], 'at least one broker'],
  ])('refuse %j', (value, problem) => {
    const error = refusal(value);
    expect(error).toBeInstanceOf(KrafkaConfigError);
    expect(error.option).toBe('brokers');
    expect(error.message).toContain(problem);
  });

  it('name the entry that is none', () => {
    expect(refusal('a:1,,b:2').option).toBe('brokers[1]');
    expect(refusal(['a:1', 7]).option).toBe('brokers[1]');
  });

  it('never repeat what may be a password', () => {
    expect(refusal('user:hunter2@a:9092').message).not.toContain('hunter2');
    expect(refusal('sasl://user:hunter2@a:9092').message).not.toContain('hunter2');
  });

  it('are written with brackets when the host is IPv6', () => {
    expect(formatAddress('::1', 9092)).toBe('[::1]:9092');
    expect(formatAddress('a', 9092)).toBe('a:9092');
  });
});
