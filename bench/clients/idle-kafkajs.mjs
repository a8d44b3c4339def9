import { Kafka, logLevel } from 'kafkajs';
import { measureIdle } from './idle.mjs';

const topic = `bench-idle-js-${process.pid}`;
const kafka = new Kafka({
  brokers: process.env.BENCH_BROKERS.split(','),
  clientId: 'bench-idle',
  logLevel: logLevel.NOTHING,
});
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 6 }] });
await admin.disconnect();
const producer = kafka.producer();
await producer.connect();
await producer.send({ topic, messages: [{ value: 'once' }] });
const consumer = kafka.consumer({ groupId: topic });
await consumer.connect();
await consumer.subscribe({ topic });
await consumer.run({ eachMessage: async () => undefined });
await measureIdle(Number(process.argv[2]));
await consumer.disconnect();
await producer.disconnect();
