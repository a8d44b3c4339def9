// `npm run test:kafka [-- --once] [jest arguments]`: the integration suite, and what only a real broker can show,
// against real Apache Kafka.
//
//   KAFKA_BROKERS=host:port      uses that cluster (KAFKA_CONNECTION: its connection options as JSON)
//   KAFKA_VERSION=3.9.2          starts that version instead of 4.3.1
//   --once                       leaves out the second round over SASL_SSL
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { startKafka } from './kafka/cluster.mjs';
import { ensureJars, whatIsMissing } from './kafka/jars.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const once = given.includes('--once');
const jestArguments = given.filter((argument) => argument !== '--once');
const version = process.env.KAFKA_VERSION ?? '4.3.1';

// Not spawnSync: a signal must still find somebody who stops Kafka.
async function jest(title, projects, environment) {
  console.log(`\n=== ${title}`);
  const report = process.env.KRAFKA_REPORTS;
  const run = spawn(
    process.execPath,
    [
      join(root, 'scripts/jest.mjs'),
      ...(report ? ['--json', `--outputFile=${join(report, `${title.replace(/\W+/g, '-')}.json`)}`] : []),
      ...['--selectProjects', ...projects],
      ...jestArguments,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } },
  );
  return (await new Promise((resolve) => run.once('close', resolve))) === 0;
}

async function main() {
  if (process.env.KAFKA_BROKERS) {
    return await jest(`Kafka at ${process.env.KAFKA_BROKERS}`, ['integration'], {});
  }
  const missing = whatIsMissing(version);
  if (missing !== undefined) {
    console.error(`Real Kafka can't be started here: ${missing} is missing.`);
    console.error('Install it, or name a cluster of yours: KAFKA_BROKERS=host:port npm run test:kafka');
    console.error('`npm test` runs the same suite on the embedded broker, with Node alone.');
    return false;
  }
  ensureJars(version);
  const kafka = await startKafka({ version, secure: true });
  const stopAndLeave = () => void kafka.stop().then(() => process.exit(130));
  process.once('SIGINT', stopAndLeave);
  process.once('SIGTERM', stopAndLeave);
  try {
    const common = { KAFKA_JARS: kafka.jars, KAFKA_VERSION: version };
    const plain = await jest(`Apache Kafka ${version}`, ['integration', 'kafka'], {
      ...common,
      KAFKA_BROKERS: kafka.bootstrap,
    });
    if (once) return plain;
    const secure = await jest(`Apache Kafka ${version} over SASL_SSL with SCRAM-SHA-512`, ['integration'], {
      ...common,
      KAFKA_BROKERS: kafka.secure.bootstrap,
      KAFKA_CONNECTION: JSON.stringify(kafka.secure.connection),
    });
    return plain && secure;
  } finally {
    await kafka.stop();
  }
}

process.exitCode = (await main()) ? 0 : 1;
