import { Krafka } from '../../dist/core/index.js';

const sends = Number(process.argv[2]);
const beside = process.argv[3] === 'beside';
const topic = `bench-awaited-${process.pid}`;
const quiet = `${topic}-quiet`;
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench-awaited' });
await krafka.admin().createTopics([
  { name: topic, partitions: 1 },
  { name: quiet, partitions: 1 },
]);
const producer = krafka.producer({ lingerMs: 0 });
let running;
if (beside) {
  const consumer = krafka.consumer({ groupId: topic, topics: [quiet], fetchMaxWaitMs: 500 });
  running = consumer.run({ eachRecord: () => undefined });
  await consumer.start();
}
const value = Buffer.alloc(100, 'x');
const send = () => producer.send({ topic, value });
for (let index = 0; index < 1_000; index++) await send();
const times = new Float64Array(sends);
for (let index = 0; index < sends; index++) {
  const from = performance.now();
  await send();
  times[index] = performance.now() - from;
}
times.sort();
const at = (fraction) => Number(times[Math.floor(sends * fraction)].toFixed(4));
console.log(JSON.stringify({ p50: at(0.5), p99: at(0.99) }));
await krafka.close();
await running;
