// One record at a time through one client, from send() to the handler.
// argv: client, JSON of { adapter, topic, records, bytes }
import { finish, Meter } from './meter.mjs';

const load = JSON.parse(process.argv[3]);
const { echo } = await import(`./adapters/${load.adapter}.mjs`);
const meter = new Meter();
let arrived = () => undefined;
const received = () => arrived();
const own = await echo({ brokers: process.env.BENCH_BROKERS, topic: load.topic, groupId: `${load.topic}-g`, received });
if (own.absent !== undefined) finish(own);
else await measure();

/** Not every client tells when it reads: what is sent earlier would never arrive. */
async function untilReading(value) {
  const reading = new AbortController();
  arrived = () => reading.abort();
  while (!reading.signal.aborted) {
    await own.send(value);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}

async function measure() {
  const value = Buffer.alloc(load.bytes, 'x');
  await untilReading(value);
  for (let index = 0; index < load.records + 500; index++) {
    if (index === 500) meter.start();
    const from = performance.now();
    const handled = new Promise((resolve) => {
      arrived = () => resolve(performance.now() - from);
    });
    const acknowledged = own.send(value);
    meter.times.push(await handled);
    await acknowledged;
  }
  const result = meter.result(load.records);
  await own.close();
  finish(result);
}
