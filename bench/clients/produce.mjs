// One client producing one kind of load in this process: its JSON result is the last line printed.
// argv: client, JSON of { shape: 'single' | 'batch' | 'awaited', topic, records, bytes, outstanding, batch, ... }
const [client, json] = process.argv.slice(2);
const load = JSON.parse(json);
const { producer } = await import(`./adapters/${client}.mjs`);
const own = await producer({ brokers: process.env.BENCH_BROKERS, ...load });
if (own === undefined) {
  console.log(JSON.stringify({ absent: true }));
  process.exit(0);
}

const { topic, shape, bytes, outstanding } = load;
// Half of each value repeats, as JSON does: a codec finds something, and not everything.
const values = Array.from({ length: 1_000 }, (_, index) => {
  const value = Buffer.alloc(bytes, `{"sku":"tea","quantity":1,"note":"`);
  for (let at = 0; at < bytes / 2; at++) value[at] = 97 + ((index * 31 + at * 7 + ((at * index) % 13)) % 26);
  return value;
});
const keys = Array.from({ length: 1_000 }, (_, index) => `key-${index}`);
let acknowledged = 0;

const shapes = {
  /** As many callers as are outstanding, each awaiting its own sends. */
  single: (records) => {
    let next = 0;
    const caller = async () => {
      while (next < records) {
        const index = next++ % 1_000;
        await own.send({ topic, key: keys[index], value: values[index] });
        acknowledged += 1;
      }
    };
    return Promise.all(Array.from({ length: outstanding }, caller));
  },
  batch: (records) => {
    const batch = Array.from({ length: load.batch }, (_, index) => ({
      topic,
      key: keys[index % 1_000],
      value: values[index % 1_000],
    }));
    let next = 0;
    const caller = async () => {
      while (next < records) {
        next += load.batch;
        await own.sendBatch(batch);
        acknowledged += load.batch;
      }
    };
    return Promise.all(Array.from({ length: outstanding }, caller));
  },
  awaited: async (records) => {
    for (let index = 0; index < records; index++) {
      const from = performance.now();
      await own.send({ topic, key: keys[index % 1_000], value: values[index % 1_000] });
      times.push(performance.now() - from);
      acknowledged += 1;
    }
  },
};

let times = [];
await shapes[shape](Math.ceil(load.records / 10));
acknowledged = 0;
times = [];
globalThis.gc?.();
const cpu = process.cpuUsage();
const started = performance.now();
await shapes[shape](load.records);
const seconds = (performance.now() - started) / 1_000;
const used = process.cpuUsage(cpu);
await own.close();
times.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    recordsPerSecond: Math.round(acknowledged / seconds),
    cpuUsPerRecord: Number(((used.user + used.system) / acknowledged).toFixed(3)),
    peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1_024),
    ...(times.length > 0
      ? {
          p50: Number(times[times.length >> 1].toFixed(4)),
          p99: Number(times[Math.floor(times.length * 0.99)].toFixed(4)),
        }
      : {}),
  }),
);
process.exit(0);
