// The steps of .ci/run, each a command a person would type. Ends with a line `N passed, N failed` over every test and step.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const reports = mkdtempSync(join(tmpdir(), 'krafka-ci-'));
const env = { ...process.env, KRAFKA_REPORTS: reports };
const has = (command) => spawnSync(command, ['-version'], { stdio: 'ignore' }).status === 0;

const steps = [
  ['demo', 'npm', ['run', 'demo']],
  ['quick tests', 'npm', ['test', '--', '--json', `--outputFile=${join(reports, 'quick.json')}`]],
  ['check', 'npm', ['run', 'check']],
  ['packaging', 'npm', ['run', 'test:packaging']],
];
if (has('java') && has('mvn')) {
  steps.push(
    ['real Kafka 4.3.1', 'npm', ['run', 'test:kafka']],
    ['real Kafka 3.9.2', 'npm', ['run', 'test:kafka', '--', '--once'], { KAFKA_VERSION: '3.9.2' }],
    ['chaos', 'npm', ['run', 'test:chaos'], { CHAOS_SECONDS: '20', LEDGER_SECONDS: '6' }],
  );
} else {
  console.log('Java and Maven are not both here: the real-Kafka steps are left out, and that counts as a failure.');
  steps.push(['real Kafka', 'false', []]);
}

let stepsPassed = 0;
const failedSteps = [];
for (const [name, command, args, more] of steps) {
  console.log(`\n##### ${name}: ${command} ${args.join(' ')}`);
  const started = Date.now();
  const run = spawnSync(command, args, { stdio: 'inherit', env: { ...env, ...more } });
  console.log(
    `##### ${name}: ${run.status === 0 ? 'ok' : 'FAILED'} after ${((Date.now() - started) / 1000).toFixed(0)} s`,
  );
  if (run.status === 0) stepsPassed += 1;
  else failedSteps.push(name);
}

let passed = 0;
let failed = 0;
for (const file of readdirSync(reports)) {
  const report = JSON.parse(readFileSync(join(reports, file), 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
}
rmSync(reports, { recursive: true, force: true });
if (failedSteps.length > 0) console.log(`failed steps: ${failedSteps.join(', ')}`);
console.log(`${passed + stepsPassed} passed, ${failed + failedSteps.length} failed`);
process.exitCode = failedSteps.length === 0 ? 0 : 1;
