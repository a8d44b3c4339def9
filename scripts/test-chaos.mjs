// `npm run test:chaos`: a numbered ledger through a real three-node cluster while its nodes are killed and frozen.
// CHAOS_SECONDS says how long the trouble lasts, CHAOS_SEED which trouble it is.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureJars, whatIsMissing } from './kafka/jars.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const version = process.env.KAFKA_VERSION ?? '4.3.1';
const missing = whatIsMissing(version);
if (missing !== undefined) {
  console.error(`The chaos run needs a real cluster of its own, and ${missing} is missing.`);
  process.exit(1);
}
ensureJars(version);
const report = process.env.KRAFKA_REPORTS;
const run = spawnSync(
  process.execPath,
  [
    join(root, 'scripts/jest.mjs'),
    ...['--runInBand', '--selectProjects', 'chaos'],
    ...(report ? ['--json', `--outputFile=${join(report, 'chaos.json')}`] : []),
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = run.status ?? 1;
