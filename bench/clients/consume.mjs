// One client reading a topic from its beginning in this process.
// argv: client, JSON of { adapter, mode: 'batch' | 'record', topic, records, compression }
import { finish, Meter } from './meter.mjs';

const load = JSON.parse(process.argv[3]);
const { consume } = await import(`./adapters/${load.adapter}.mjs`);
const meter = new Meter();
// Joining a group, first fetches and cold code are not what is measured: the first tenth is for them.
const warm = Math.ceil(load.records / 10);
let count = 0;
let read = 0;
let end;
const done = new Promise((resolve) => (end = resolve));
const touch = (value) => {
  read += value.length + value[0];
  count += 1;
  if (count === warm) meter.start();
  else if (count === load.records) end(meter.result(load.records - warm));
};

const own = await consume({
  ...load,
  brokers: process.env.BENCH_BROKERS,
  groupId: `${load.topic}-${process.pid}`,
  touch,
});
if (own.absent !== undefined) {
  finish(own);
} else {
  own.failed?.catch((error) => {
    throw error;
  });
  const result = await done;
  if (read === 0) throw new Error('nothing was read');
  await own.close();
  finish(result);
}
