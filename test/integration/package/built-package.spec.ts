import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import * as coreSources from '../../../lib/core/index.js';
import * as sources from '../../../lib/index.js';
import * as testingSources from '../../../lib/testing/index.js';

/** What a program prints that runs beside the built package. */
const printed = (program: string): string =>
  execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim();

const namesOf = (entry: string): string[] =>
  printed(`import * as all from './dist/${entry}'; console.log(Object.keys(all).join())`).split(',');

describe('The built package', () => {
  it('is its entries and a few files that they share', () => {
    const files = readdirSync('dist', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
    const isShared = (file: string): boolean => file.startsWith('chunks/');
    expect(files.filter((file) => !isShared(file)).toSorted()).toEqual([
      'core/index.js',
      'core/protocol/index.js',
      'index.js',
      'nest/health/index.js',
      'testing/index.js',
    ]);
    expect(files.filter(isShared).length).toBeLessThan(10);
  });

  it.each([
    ['index.js', sources],
    ['core/index.js', coreSources],
    ['testing/index.js', testingSources],
  ])('exports what the sources of %s do', (entry, exported) => {
    expect(namesOf(entry)).toEqual(Object.keys(exported).toSorted());
  });

  it('has every API under its name', () => {
    const names = printed(`import { apis } from './dist/core/index.js'; console.log(Object.keys(apis).join())`);
    expect(names.split(',')).toEqual(Object.keys(coreSources.apis).toSorted());
  });

  it('shares its classes between entries', () => {
    const same = printed(`
      import { Krafka, KrafkaError } from './dist/index.js';
      import * as core from './dist/core/index.js';
      console.log(Krafka === core.Krafka, KrafkaError === core.KrafkaError);
    `);
    expect(same).toBe('true true');
  });

  it('leads to its sources in stack traces', () => {
    const program = `import { Krafka } from './dist/index.js'; new Krafka({ brokers: 'localhost', nonsense: 1 });`;
    const run = spawnSync(process.execPath, ['--enable-source-maps', '--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(run.stderr).toMatch(/lib\/core\/krafka\.ts:\d+/);
    expect(run.stderr).not.toContain('dist/chunks');
  });

  it('calls its classes by their names', () => {
    const others = printed(`
      import * as root from './dist/index.js';
      import * as core from './dist/core/index.js';
      import * as testing from './dist/testing/index.js';
      const exported = [root, core, testing].flatMap((entry) => Object.entries(entry));
      const classes = exported.filter(([, value]) => /^class\\b/.test(String(value)));
      if (classes.length < 30) throw new Error('where are the classes?');
      console.log(classes.filter(([name, value]) => value.name !== name).map(([name]) => name).join());
    `);
    expect(others).toBe('');
  });
});
