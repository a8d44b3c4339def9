import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as coreSources from '../../../lib/core/index.js';
import * as sources from '../../../lib/index.js';
import * as testingSources from '../../../lib/testing/index.js';
import { Graph } from '../../../scripts/joining/graph.mjs';

/** What a program prints that runs beside the built package. */
const printed = (program: string): string =>
  execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim();

const namesOf = (entry: string): string[] =>
  printed(`import * as all from './dist/${entry}'; console.log(Object.keys(all).join())`).split(',');

describe('The built package', () => {
  it('is a few files, whichever entry is loaded', () => {
    const files = readdirSync('dist', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
    expect(files.toSorted()).toEqual([
      'core/index.js',
      'core/protocol/index.js',
      'index.js',
      'joined/core.js',
      'joined/health.js',
      'joined/nest.js',
      'joined/protocol.js',
      'joined/testing.js',
      'nest/health/index.js',
      'testing/index.js',
    ]);
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
    expect(run.stderr).not.toContain('dist/joined');
  });
});

describe('Joining modules', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'krafka-join-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (modules: Record<string, string>): void => {
    for (const [name, text] of Object.entries(modules)) writeFileSync(join(folder, name), text);
  };

  it.each([
    [
      'modules that need each other',
      { 'a.js': `import { b } from './b.js';`, 'b.js': `import { a } from './a.js';` },
      'modules need each other: ./a.js -> ./b.js -> ./a.js',
    ],
    ['what is assigned later', { 'a.js': 'export let a;' }, 'not a const: export let a;'],
    ['an import for its effect', { 'a.js': `import 'x';` }, 'an import for its effect is not understood'],
    ['a module that is loaded later', { 'a.js': `const b = () => import('./b.js');` }, 'is not understood'],
    ['a default export', { 'a.js': 'export default 1;' }, 'a default export is not understood'],
  ])('refuses %s', (_what, modules, message) => {
    write(modules);
    expect(() => new Graph(folder).reach('./a.js')).toThrow(message);
  });

  it('finds a name where it comes from, however often it is exported again', () => {
    write({
      'a.js': `export { c as b } from './b.js';`,
      'b.js': `export * from './c.js'; export * as all from './c.js';`,
      'c.js': 'export const c = 1;',
    });
    const graph = new Graph(folder);
    expect(graph.reach('./a.js').map(({ path }) => path)).toEqual(['./c.js', './b.js', './a.js']);
    expect(graph.origin('./a.js', 'b')).toEqual({ from: './c.js', name: 'c' });
    expect(graph.origin('./b.js', 'all')).toEqual({ from: './c.js' });
    expect([...graph.names('./b.js')].toSorted()).toEqual(['all', 'c']);
  });
});
