// One client producing one kind of load in this process.
// argv: client, JSON of { shape: 'single' | 'batch' | 'awaited', topic, records, bytes, outstanding, batch, ... }
import { finish, Meter } from './meter.mjs';
import { KEYS, valuesOf } from './values.mjs';

const load = JSON.parse(process.argv[3]);
const { producer } = await import(`./adapters/${load.adapter}.mjs`);
const own = await producer({ brokers: process.env.BENCH_BROKERS, ...load });
if (own.absent !== undefined) finish(own);
else await measure();

async function measure() {
  const { topic, shape, bytes, outstanding } = load;
  const values = valuesOf(bytes);
  const meter = new Meter();
  let acknowledged = 0;

  const shapes = {
    /** As many callers as are outstanding, each awaiting its own sends. */
    single: (records) => {
      let next = 0;
      const caller = async () => {
        while (next < records) {
          const index = next++ % 1_000;
          await own.send({ topic, key: KEYS[index], value: values[index] });
          acknowledged += 1;
        }
      };
      return Promise.all(Array.from({ length: outstanding }, caller));
    },
    batch: (records) => {
      const batch = Array.from({ length: load.batch }, (_, index) => ({
        topic,
        key: KEYS[index % 1_000],
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
        await own.send({ topic, key: KEYS[index % 1_000], value: values[index % 1_000] });
        meter.times.push(performance.now() - from);
        acknowledged += 1;
      }
    },
  };

  await shapes[shape](Math.ceil(load.records / 10));
  acknowledged = 0;
  meter.start();
  await shapes[shape](load.records);
  const result = meter.result(acknowledged);
  await own.close();
  finish(result);
}
