// Producing, every client in a process of its own, interleaved and repeated; only acknowledged records count.
// `npm run bench -- produce [work ...] [--rounds N] [--quick]`
import { spawnSync } from 'node:child_process';
import { Krafka } from '../../dist/core/index.js';

const NODE_CLIENTS = ['krafka', 'kafkajs', 'platformatic', 'librdkafka'];
const WORKS = {
  single: { shape: 'single', records: 600_000, bytes: 100, outstanding: 1_000, idempotent: false, compression: 'none' },
  'single-idempotent': {
    shape: 'single',
    records: 600_000,
    bytes: 100,
    outstanding: 1_000,
    idempotent: true,
    compression: 'none',
  },
  batch: {
    shape: 'batch',
    batch: 1_000,
    records: 2_000_000,
    bytes: 100,
    outstanding: 5,
    idempotent: false,
    compression: 'none',
    java: true,
  },
  'batch-1k': {
    shape: 'batch',
    batch: 1_000,
    records: 400_000,
    bytes: 1_024,
    outstanding: 5,
    idempotent: false,
    compression: 'none',
    java: true,
  },
  awaited: {
    shape: 'awaited',
    records: 5_000,
    bytes: 100,
    outstanding: 1,
    idempotent: false,
    compression: 'none',
    lingerMs: 0,
  },
  lz4: {
    shape: 'batch',
    batch: 1_000,
    records: 1_000_000,
    bytes: 100,
    outstanding: 5,
    idempotent: false,
    compression: 'lz4',
  },
  zstd: {
    shape: 'batch',
    batch: 1_000,
    records: 1_000_000,
    bytes: 100,
    outstanding: 5,
    idempotent: false,
    compression: 'zstd',
  },
};

export async function measure({ brokers, arguments: given, inProcess, jars }) {
  const rounds = given.includes('--rounds') ? Number(given[given.indexOf('--rounds') + 1]) : 2;
  const quick = given.includes('--quick') ? 0.1 : 1;
  const asked = given.filter((word) => word in WORKS);
  const krafka = new Krafka({ brokers, clientId: 'bench-setup' });
  const rows = [];
  let made = 0;
  for (const work of asked.length > 0 ? asked : Object.keys(WORKS)) {
    const { java, ...load } = WORKS[work];
    const clients = [...NODE_CLIENTS, ...(java && jars ? ['java'] : [])];
    const seen = Object.fromEntries(clients.map((client) => [client, []]));
    for (let round = 0; round < rounds; round++) {
      for (const client of clients) {
        const topic = `bench-produce-${process.pid}-${made++}`;
        await krafka.admin().createTopics([{ name: topic, partitions: 6 }]);
        // A slow client is given fewer records: its rate is the same and the run stays short.
        const share = (client === 'kafkajs' || client === 'platformatic') && load.shape === 'single' ? 0.1 : 1;
        const records = Math.round(load.records * share * quick);
        const result =
          client === 'java'
            ? javaPerf(jars, brokers, topic, { ...load, records })
            : inProcess('clients/produce.mjs', client, JSON.stringify({ ...load, topic, records }));
        if (!result.absent) seen[client].push(result);
        await krafka.admin().deleteTopics([topic]);
      }
    }
    const best = (client) => Math.max(0, ...seen[client].map((run) => run.recordsPerSecond));
    for (const client of clients) {
      const runs = seen[client];
      if (runs.length === 0) {
        rows.push({ work, client, 'records/s': 'not here' });
        continue;
      }
      rows.push({
        work,
        client,
        'records/s': best(client),
        worst: Math.min(...runs.map((run) => run.recordsPerSecond)),
        'krafka is': `${(best('krafka') / best(client)).toFixed(2)}x`,
        'CPU us/record': runs[0].cpuUsPerRecord === undefined ? '' : Math.min(...runs.map((run) => run.cpuUsPerRecord)),
        'RSS MiB': runs[0].peakRssMiB === undefined ? '' : Math.max(...runs.map((run) => run.peakRssMiB)),
        ...(runs[0].p50 === undefined
          ? {}
          : { 'p50 ms': Math.min(...runs.map((run) => run.p50)), 'p99 ms': Math.min(...runs.map((run) => run.p99)) }),
      });
    }
  }
  await krafka.close();
  return {
    rows,
    notes: [`${rounds} rounds, interleaved, acks=all, 6 partitions; the better round, and the worse beside it`],
  };
}

/** Kafka's own ProducerPerformance: batches as the Java producer forms them. */
function javaPerf(jars, brokers, topic, { records, bytes }) {
  const run = spawnSync(
    'java',
    [
      ...['-Xmx512m', '-cp', `${jars}/*`, 'org.apache.kafka.tools.ProducerPerformance', '--topic', topic],
      ...['--num-records', String(records), '--record-size', String(bytes), '--throughput', '-1'],
      ...[
        '--producer-props',
        `bootstrap.servers=${brokers}`,
        'acks=all',
        'linger.ms=5',
        'batch.size=65536',
        'enable.idempotence=false',
      ],
    ],
    { encoding: 'utf8' },
  );
  const last = run.stdout.trim().split('\n').at(-1) ?? '';
  const rate = /([\d.]+) records\/sec/.exec(last);
  return rate === null ? { absent: true } : { recordsPerSecond: Math.round(Number(rate[1])) };
}
