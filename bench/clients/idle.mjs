// What a client costs that does nothing: a producer that has sent once, a subscribed consumer with nothing to read.
// argv: client, JSON of { adapter, topic, seconds }
import { finish, peakRssMiB } from './meter.mjs';

const { adapter, topic, seconds } = JSON.parse(process.argv[3]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const brokers = process.env.BENCH_BROKERS;
const adapters = {
  async krafka() {
    const { Krafka } = await import('../../dist/core/index.js');
    const krafka = new Krafka({ brokers, clientId: 'bench-idle' });
    await krafka.producer().send({ topic, value: 'once' });
    const consumer = krafka.consumer({ groupId: topic, topics: [topic] });
    consumer.run({ eachRecord: () => undefined }).catch(() => undefined);
    await consumer.start();
    return () => krafka.close();
  },
  async kafkajs() {
    const { Kafka, logLevel } = await import('kafkajs');
    const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench-idle', logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: 'once' }] });
    const consumer = kafka.consumer({ groupId: topic });
    await consumer.connect();
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async () => undefined });
    return () => Promise.all([consumer.disconnect(), producer.disconnect()]);
  },
};

const close = await adapters[adapter]();
// Start-up leaves garbage, and V8 takes its time to shrink the heap it needed: what is measured is the rest after that.
await pause(25_000);
const from = process.cpuUsage();
const started = performance.now();
await pause(seconds * 1_000);
const used = process.cpuUsage(from);
const elapsed = (performance.now() - started) / 1_000;
await close();
finish({
  cpuMsPerSecond: Number(((used.user + used.system) / 1_000 / elapsed).toFixed(3)),
  peakRssMiB: peakRssMiB(),
});
