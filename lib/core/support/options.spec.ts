import { KrafkaConfigError } from './errors.js';
import {
  aBoolean,
  aDuration,
  aListOf,
  aString,
  aWhole,
  anObjectWith,
  checkCloseTimeout,
  checkOptions,
  nearestOf,
  oneOf,
  optional,
  withDefault,
} from './options.js';

interface Example {
  readonly lingerMs: number;
  readonly acks: 0 | 1 | 'all';
  readonly name: string | undefined;
}

const rules = {
  lingerMs: withDefault(aWhole('milliseconds', 0, 1000), 5),
  acks: withDefault<0 | 1 | 'all'>(oneOf<0 | 1 | 'all'>(0, 1, 'all'), 'all'),
  name: optional(aString),
};
const check = (given: unknown): Readonly<Example> => checkOptions<Example>(given, rules, 'producer');
const refusal = (given: unknown): KrafkaConfigError => {
  try {
    check(given);
  } catch (error) {
    if (error instanceof KrafkaConfigError) return error;
  }
  throw new Error('was not refused');
};

describe('checkOptions', () => {
  it('fills in defaults and freezes what it answers', () => {
    const checked = check({ acks: 1 });
    expect(checked).toEqual({ lingerMs: 5, acks: 1, name: undefined });
    expect(Object.isFrozen(checked)).toBe(true);
  });

  it('refuses a Map, whose keys it would not see', () => {
    expect(() => checkOptions<{ a?: string }>(new Map([['a', 'b']]), { a: optional(aString) }, 'x')).toThrow(
      /'x' must be an object, got a Map/,
    );
  });

  it('takes nothing at all for an empty object', () => {
    expect(check(undefined).lingerMs).toBe(5);
  });

  it('refuses an unknown key by its path and names the nearest known one', () => {
    expect(refusal({ lingerMS: 1 })).toMatchObject({ option: 'producer.lingerMS', nearest: 'lingerMs' });
    expect(refusal({ lingr: 1 }).message).toBe("Option 'producer.lingr' is not known; did you mean 'lingerMs'?");
  });

  it('names no neighbour when none is near', () => {
    expect(refusal({ zzzzzzzzzzzz: 1 }).nearest).toBeUndefined();
  });

  it.each([
    [{ lingerMs: '5' }, 'producer.lingerMs', 'a string'],
    [{ lingerMs: -1 }, 'producer.lingerMs', 'from 0 to 1000'],
    [{ lingerMs: 1.5 }, 'producer.lingerMs', '1.5'],
    [{ lingerMs: Number.NaN }, 'producer.lingerMs', 'NaN'],
    [{ acks: 2 }, 'producer.acks', "'all'"],
    [{ name: '' }, 'producer.name', "''"],
    [[], 'producer', 'an array'],
    [null, 'producer', 'null'],
    ['x', 'producer', 'a string'],
  ])('refuses %j naming %s', (given, option, said) => {
    const error = refusal(given);
    expect(error.option).toBe(option);
    expect(error.message).toContain(said);
  });

  it('never shows what it refuses where no number was asked for: it may be a secret', () => {
    expect(refusal({ lingerMs: 'hunter2' }).message).not.toContain('hunter2');
    expect(refusal({ name: 31337 }).message).toContain('must be a non-empty string, got a number');
  });
});

describe('how long a close may take', () => {
  it('is the default where nothing is said, and any part of a millisecond otherwise', () => {
    expect(checkCloseTimeout(undefined, 30_000)).toBe(30_000);
    expect(checkCloseTimeout({ timeoutMs: undefined }, 30_000)).toBe(30_000);
    expect(checkCloseTimeout({ timeoutMs: 0 }, 30_000)).toBe(0);
    expect(checkCloseTimeout({ timeoutMs: 99.5 }, 30_000)).toBe(99.5);
  });

  it.each([-1, Number.NaN, Infinity, 2 ** 31, '5', null])('is not %p', (timeoutMs) => {
    expect(() => checkCloseTimeout({ timeoutMs }, 30_000)).toThrow("'close.timeoutMs' must be milliseconds");
  });
});

describe('rules', () => {
  it('takes a duration that a timer takes, and none that it would make a millisecond of', () => {
    expect(aDuration(0)(2 ** 31 - 1, 'x')).toBe(2 ** 31 - 1);
    expect(() => aDuration(0)(2 ** 31, 'x')).toThrow('from 0 to 2147483647, got 2147483648');
    expect(() => aDuration(0, 1_000)(1_001, 'x')).toThrow('from 0 to 1000');
  });

  it('checks each item of a list and names its index', () => {
    expect(() => aListOf(aString)(['a', ''], 'brokers')).toThrow(/brokers\[1\]/);
    expect(aListOf(aString)(['a'], 'brokers')).toEqual(['a']);
    // oxlint-disable-next-line no-sparse-arrays
    expect(() => aListOf(aString)(['a', , 'b'], 'brokers')).toThrow(/brokers\[1\].*nothing/);
  });

  it('asks an object for the methods it will call', () => {
    expect(() => anObjectWith<{ partition(): number }>('partition')({}, 'partitioner')).toThrow(/methods partition/);
  });

  it('takes booleans for what they are', () => {
    expect(aBoolean(false, 'x')).toBe(false);
    expect(() => aBoolean('false', 'x')).toThrow(KrafkaConfigError);
  });
});

describe('nearestOf', () => {
  it.each([
    ['ssl', ['brokers', 'connection'], 'connection.tls'],
    ['sasl', ['brokers', 'pool', 'connection'], 'connection.sasl'],
    ['user', ['username', 'password'], 'username'],
    ['maxBlockMs', ['lingerMs', 'accumulator'], 'accumulator.maxBlockMs'],
    ['eachMessage', ['eachRecord', 'eachBatch'], 'eachRecord'],
    ['client', ['clientId', 'brokers'], 'brokers'],
    ['dlq', ['dead-letter', 'skip', 'stop'], 'dead-letter'],
    ['topic', ['name', 'partitions'], 'name'],
    // Nothing of the kind can be said here.
    ['ssl', ['pool', 'name'], undefined],
    ['constructor', ['name'], undefined],
  ])('knows what %s is called elsewhere among %j', (given, known, name) => {
    expect(nearestOf(given, known)).toBe(name);
  });

  it('looks past case and small slips', () => {
    expect(nearestOf('batchsize', ['bufferMemory', 'batchSize'])).toBe('batchSize');
    expect(nearestOf('conectTimeoutMs', ['connectTimeoutMs', 'requestTimeoutMs'])).toBe('connectTimeoutMs');
  });
});
