// Events through Nest: the handler's process reads a topic full of JSON from its beginning.
// argv: client, JSON of { transport, topic, records, batch }
import { finish, Meter } from '../meter.mjs';
import { batchModule, eventModule, listen } from './application.mjs';

const load = JSON.parse(process.argv[3]);
const meter = new Meter();
const warm = Math.ceil(load.records / 5);
let count = 0;
let quantity = 0;
let end;
const done = new Promise((resolve) => (end = resolve));
const touch = (order) => {
  quantity += order.quantity;
  count += 1;
  if (count === warm) meter.start();
  else if (count === load.records) end(meter.result(load.records - warm));
};

const module = await chosenModule();
if (module === undefined) {
  finish({ absent: 'there is no BatchPattern' });
} else {
  const groupId = `${load.topic}-${process.pid}`;
  await listen(module, { ...load, brokers: process.env.BENCH_BROKERS, groupId, fromBeginning: true });
  const result = await done;
  if (!(quantity > 0)) throw new Error('no payload was parsed');
  finish(result);
}

async function chosenModule() {
  if (!load.batch) return eventModule(load.topic, touch);
  const { BatchPattern } = await import('../../../dist/index.js');
  return BatchPattern === undefined ? undefined : batchModule(load.topic, BatchPattern, touch);
}
