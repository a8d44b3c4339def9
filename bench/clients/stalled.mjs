// Ten million records offered to a producer whose broker has stopped: what it keeps, what it refuses, what it grows by.
// argv: client, JSON of { topic, records, bytes, seconds, brokerPid, bufferMemory, refusing }
import { Krafka } from '../../dist/core/index.js';
import { finish, peakRssMiB } from './meter.mjs';
import { KEYS, valuesOf } from './values.mjs';

const MIB = 2 ** 20;
/** More are not offered in one turn of the loop: what is refused in a turn is garbage only when the turn is over. */
const MOST_A_TURN = 1_000;

const load = JSON.parse(process.argv[3]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const turn = () => new Promise((resolve) => setImmediate(resolve));
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
let send = (record) => producer.send(record);
let offered = 0;
const offer = async (count) => {
  for (let left = count; left > 0; left--) {
    const index = offered++ % 1_000;
    send({ topic: load.topic, key: KEYS[index], value: values[index] }).then(acknowledged, refused);
    if (offered % MOST_A_TURN === 0) await turn();
  }
};

// At work as a service is whose broker keeps up: the buffer is nearly empty, and nothing of it is in the figure to begin with.
for (let wave = 0; wave < 500; wave++) {
  await offer(1_000);
  await producer.flush();
}
globalThis.gc?.();
const before = { rss: process.memoryUsage().rss, inUse: inUse(), offered };
Object.assign(outcomes, { acknowledged: 0, refused: 0 });
if (load.refusing) {
  // What the measure costs without a producer: as many promises, refused.
  const refusal = Object.assign(new Error('refused'), { code: 'REFUSED' });
  send = () => Promise.reject(refusal);
}

process.kill(load.brokerPid, 'SIGSTOP');
let peak = 0;
let kept;
try {
  const started = performance.now();
  const until = load.seconds * 1_000;
  while (performance.now() - started < until) {
    const due = Math.min(load.records, Math.ceil(((performance.now() - started) / until) * load.records));
    await offer(Math.max(0, due - (offered - before.offered)));
    await pause(1);
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  await offer(load.records - (offered - before.offered));
  peak = Math.max(peak, process.memoryUsage.rss());
  globalThis.gc?.();
  kept = inUse() - before.inUse;
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
  growthMiB: Math.round((peak - before.rss) / MIB),
  keptMiB: Math.round(kept / MIB),
  limitMiB: load.bufferMemory / MIB + 64,
  peakRssMiB: peakRssMiB(),
  ...outcomes,
  reasons,
});

/** Bytes of the heap and of buffers that are in use. */
function inUse() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
