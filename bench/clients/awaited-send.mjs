// One awaited send after another, alone or while a consumer of the same client idles in a 500 ms long poll.
// argv: client, JSON of { topic, quiet, records, bytes, beside }
import { Krafka } from '../../dist/core/index.js';
import { finish, Meter } from './meter.mjs';

const { topic, quiet, records, bytes, beside } = JSON.parse(process.argv[3]);
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench-awaited' });
const producer = krafka.producer({ lingerMs: 0 });
if (beside) {
  const consumer = krafka.consumer({ groupId: topic, topics: [quiet], fetchMaxWaitMs: 500 });
  consumer.run({ eachRecord: () => undefined }).catch((error) => {
    throw error;
  });
  await consumer.start();
}
const value = Buffer.alloc(bytes, 'x');
const send = () => producer.send({ topic, value });
for (let index = 0; index < 1_000; index++) await send();
const meter = new Meter();
meter.start();
for (let index = 0; index < records; index++) {
  const from = performance.now();
  await send();
  meter.times.push(performance.now() - from);
}
const result = meter.result(records);
await krafka.close();
finish(result);
