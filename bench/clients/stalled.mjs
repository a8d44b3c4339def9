// Ten million records offered to a producer whose broker has stopped: what it keeps, what it refuses, what it grows by.
// argv: client, JSON of { topic, records, bytes, seconds, brokerPid, bufferMemory }
import { Krafka } from '../../dist/core/index.js';
import { finish, peakRssMiB } from './meter.mjs';
import { KEYS, valuesOf } from './values.mjs';

const load = JSON.parse(process.argv[3]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench' });
const producer = krafka.producer({ lingerMs: 0, accumulator: { bufferMemory: load.bufferMemory } });
const values = valuesOf(load.bytes);
const outcomes = { acknowledged: 0, refused: 0 };
const reasons = {};
const acknowledged = () => void (outcomes.acknowledged += 1);
const refused = (error) => {
  outcomes.refused += 1;
  reasons[error.code] = (reasons[error.code] ?? 0) + 1;
};
let offered = 0;
const offer = (count) => {
  for (let left = count; left > 0; left--) {
    const index = offered++ % 1_000;
    producer.send({ topic: load.topic, key: KEYS[index], value: values[index] }).then(acknowledged, refused);
  }
};

// Warm, and with every buffer of the producer in use once, as it is in a service that has been running for a while.
for (let wave = 0; wave < 500; wave++) {
  offer(1_000);
  await pause(0);
}
await producer.flush();
globalThis.gc?.();
const before = { rss: process.memoryUsage().rss, peak: peakRssMiB(), offered };
Object.assign(outcomes, { acknowledged: 0, refused: 0 });

process.kill(load.brokerPid, 'SIGSTOP');
let peak = 0;
try {
  const started = performance.now();
  const until = load.seconds * 1_000;
  while (performance.now() - started < until) {
    const due = Math.min(load.records, Math.ceil(((performance.now() - started) / until) * load.records));
    offer(Math.max(0, due - (offered - before.offered)));
    await pause(1);
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  offer(load.records - (offered - before.offered));
} finally {
  process.kill(load.brokerPid, 'SIGCONT');
}
await producer.flush();
peak = Math.max(peak, process.memoryUsage.rss());
await krafka.close();
const settled = outcomes.acknowledged + outcomes.refused;
if (settled !== load.records)
  throw new Error(`${load.records} offered, ${settled} settled: ${JSON.stringify(outcomes)}`);
finish({
  growthMiB: Math.round((peak - before.rss) / 2 ** 20),
  limitMiB: load.bufferMemory / 2 ** 20 + 64,
  peakRssMiB: peakRssMiB(),
  ...outcomes,
  reasons,
});
