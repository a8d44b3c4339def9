import { Krafka } from '../../dist/core/index.js';
import { measureIdle } from './idle.mjs';

const topic = `bench-idle-${process.pid}`;
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench-idle' });
await krafka.admin().createTopics([{ name: topic, partitions: 6 }]);
const producer = krafka.producer();
await producer.send({ topic, value: 'once' });
const consumer = krafka.consumer({ groupId: topic, topics: [topic] });
const running = consumer.run({ eachRecord: () => undefined });
await consumer.start();
await measureIdle(Number(process.argv[2]));
await krafka.close();
await running;
