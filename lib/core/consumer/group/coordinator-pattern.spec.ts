import { coordinatorPatternOf } from './coordinator-pattern.js';

/** Names of topics, for every pattern below some that it finds and some that it does not. */
const NAMES = [
  ...['orders', 'Orders', 'orders.eu', 'eu.orders', 'orders-v2', 'reorders', 'border', 'order_s', 'ORDERS.DLT'],
  ...[
    'a',
    'b',
    'ab',
    'abc',
    'aab',
    'b-a',
    'a.b',
    'a_b',
    'a-b-c',
    'x',
    'xx',
    'xxx',
    'K',
    'k',
    's',
    'S',
    'u',
    'uu',
    'pp',
  ],
  ...[
    '1',
    '12',
    '123',
    'v1',
    'v10',
    'v1.2',
    '2024-01-31',
    '_private',
    '__mine',
    '-',
    '.a',
    'a.',
    '0',
    'B',
    'zz-top',
    'u'.repeat(61),
  ],
];

/** A pattern of an engine newer than the compiler's, or one that it warns of. */
const re = (source: string, flags: string): RegExp => new RegExp(source, flags);

const found = (pattern: RegExp): string[] => {
  const searching = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''));
  return NAMES.filter((name) => searching.test(name));
};
/** What is translated is also a pattern of JavaScript's, with the same meaning: so it can be tried here. */
const foundByCoordinator = (translated: string): string[] => {
  const whole = new RegExp(`^(?:${translated})$`);
  return NAMES.filter((name) => whole.test(name));
};

describe('coordinatorPatternOf', () => {
  it.each([
    [/^orders$/, 'orders'],
    [/^orders\./, 'orders\\..*'],
    [/orders$/, '.*orders'],
    [/rders/, '.*rders.*'],
    [/^(?:eu|us)\.orders|^reorders$/, '(?:eu|us)\\.orders.*|reorders'],
    [/^v(?<major>\d+)\.[1-3x-z]{1,2}?$/, 'v(?:[0-9]+)\\.[1-3x-z]{1,2}'],
    [/^ab/i, '[Aa][Bb].*'],
    [/^[^a-z]+$/, '[\\-.0-9A-Z_]+'],
    [/^$/, '/'],
  ])('says %s as %s', (pattern, translated) => {
    expect(coordinatorPatternOf(pattern)).toBe(translated);
  });

  it.each([
    ...[
      /^orders/g,
      /rders/y,
      /^ORDERS/im,
      /^orders|^b$/gi,
      /^(?:)orders/,
      /^()*x/,
      /^a|x^/,
      /^a(b|)c?$/,
      /(?:^|\.)orders(?:$|\.)/,
    ],
    ...[
      /^\w+\.\w+$/,
      /^\W/,
      /^\D+\d+$/,
      /^[\d-]+$/,
      /^[\s\S]b$/,
      /^[^]b/,
      re(String.raw`^a[]|x{2}`, ''),
      /^x{2}$/,
      /^x{2,}$/,
      /^x{0,1}$/,
      /^ax{0}b$/,
    ],
    ...[
      /\bb\b/,
      /^\B-/,
      /^a\Bb/,
      /^\x61\u0062$/,
      re(String.raw`^u\u{61}?`, ''),
      re(String.raw`^\u{2}$`, ''),
      re(String.raw`^\p{2}$`, ''),
      /^x{,2}|^a/,
      /^\cA?a$/,
      /^\0*b$/,
      re(String.raw`^\-$`, ''),
      /^a\/|^b/,
    ],
    ...[
      /^\u{61}\u0062/u,
      /^\p{Lu}/u,
      /^\P{L}+$/u,
      /^\p{Lu}/iu,
      /^\u212a$/iu,
      /^\u212a|^b$/i,
      /^\u017f$/iu,
      /^😀?a$/,
      /^😀?a$/u,
      /^\ud83d\ude00?a$/u,
    ],
    ...[
      re(String.raw`^[\w--[a-f_]]+$`, 'v'),
      re(String.raw`^[[a-z]&&[^xyz]]{2,3}$`, 'v'),
      re(String.raw`^[^[0-9]]$`, 'iv'),
      /^.$/s,
      re(String.raw`^[.\-]`, ''),
      re(String.raw`^[^.\-_]{3}$`, ''),
      /^[A-z]$/,
      /^]|^}|^a/,
    ],
    ...[/^(a+)+b/, /^(?:a*){0,3}b$/, /^((a|b)-?)+c$/, /^[aAbB]{1,2}?$/i, /^\S??$/, /^(\d{4})-(\d{2})-(\d{2})$/],
  ])('finds by %s what RegExp.test finds', (pattern) => {
    const translated = coordinatorPatternOf(pattern);
    expect(translated).toBeDefined();
    expect(foundByCoordinator(translated as string)).toEqual(found(pattern));
    // Nothing but what RE2 and JavaScript read alike: no escape beside these, no group but plain ones.
    expect(translated).toMatch(/^(?:[\w\-.^$|*+?{},[\])/]|\(\?:|\\[.\-bB])*$/);
  });

  it.each([
    ['look-ahead', /^a(?=b)/],
    ['what must not follow', /^(?!x)o/],
    ['look-behind', /^o(?<=a)/],
    ['what must not come before', /^o(?<!a)/],
    ['a back reference', /^(x)\1/],
    ['a named back reference', /^(?<x>x)\k<x>/],
    ['an octal escape', re(String.raw`^\101`, '')],
    ['strings within a class', re(String.raw`^[\q{xx|zz}]`, 'v')],
    ['more repeats than RE2 knows', /^x{1001}/],
    ['repeats of repeats', /^(?:x{50}y){50}/],
  ])('knows no equal for %s', (_, pattern) => {
    expect(coordinatorPatternOf(pattern)).toBeUndefined();
  });

  it('knows no equal for a group with flags of its own', () => {
    let pattern: RegExp;
    try {
      pattern = new RegExp('^(?i:x)');
    } catch {
      return; // This engine has no such groups.
    }
    expect(coordinatorPatternOf(pattern)).toBeUndefined();
  });

  it.each([/./, /^_/, /_state$/, /offsets/, /(?:)/, /^[^a-z]/, /GROUP/i])(
    'leaves %s, which finds internal topics, to the member',
    (pattern) => {
      expect(coordinatorPatternOf(pattern)).toBeUndefined();
    },
  );

  it('leaves what is longer than a string of the wire to the member', () => {
    const alternatives = (count: number): RegExp => new RegExp(`^(?:${'[xz]-|'.repeat(count)}x)$`);
    expect(coordinatorPatternOf(alternatives(5_000))?.length).toBe(30_005);
    expect(coordinatorPatternOf(alternatives(8_000))).toBeUndefined();
    expect(coordinatorPatternOf(new RegExp(`^${'('.repeat(101)}x${')'.repeat(101)}`))).toBeUndefined();
  });

  it('answers the same every time, and leaves the pattern as it is', () => {
    const pattern = /^orders/g;
    pattern.lastIndex = 3;
    expect(coordinatorPatternOf(pattern)).toBe(coordinatorPatternOf(pattern));
    expect(pattern.lastIndex).toBe(3);
  });
});
