// `npm run check`: everything that can be said of the code without running it. Each step is named; all are run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const packed = mkdtempSync(join(tmpdir(), 'krafka-pack-'));
const tarball = () => join(packed, readdirSync(packed).find((name) => name.endsWith('.tgz')) ?? 'none.tgz');

const steps = [
  ['build', () => ['npm', 'run', '--silent', 'build']],
  ['types', () => ['tsc', '-p', 'tsconfig.json']],
  ['lint', () => ['oxlint', '--type-aware', '--deny-warnings', 'lib', 'test', 'sample', 'scripts']],
  ['format', () => ['prettier', '--check', '--log-level', 'warn', '.']],
  ['floors', () => ['depcruise', '--config', '.dependency-cruiser.cjs', 'lib']],
  ['options page', () => ['node', 'scripts/options-doc.mjs', '--check']],
  ['pack', () => ['npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', packed]],
  ['publint', () => ['publint', '--strict', tarball()]],
  [
    'are the types wrong',
    () => ['attw', '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--', tarball()],
  ],
];

let failed = 0;
for (const [name, command] of steps) {
  const [bin, ...args] = command();
  const started = Date.now();
  const run = spawnSync(['npm', 'node'].includes(bin) ? bin : join('node_modules', '.bin', bin), args, {
    encoding: 'utf8',
  });
  const ok = run.status === 0;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (!ok) {
    failed += 1;
    console.log(`${run.stdout ?? ''}${run.stderr ?? ''}${run.error ?? ''}`);
  }
}
rmSync(packed, { recursive: true, force: true });
console.log(`check: ${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
