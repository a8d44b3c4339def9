// A consumer of a topic with very many partitions and nothing new in them: what it asks, request by request.
// argv: client, JSON of { topic, partitions, seconds }
import { apis, Krafka } from '../../dist/core/index.js';
import { finish, peakRssMiB } from './meter.mjs';
import { RecordingDialer } from './recording-dialer.mjs';

const { topic, partitions, seconds } = JSON.parse(process.argv[3]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const dialer = new RecordingDialer();
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench' }, { dialer });
const consumer = krafka.consumer({ groupId: `${topic}-${process.pid}`, topics: [topic], fromBeginning: true });
const from = performance.now();
consumer.run({ eachRecord: () => undefined }).catch((error) => {
  throw error;
});
await consumer.start();
while (consumer.assignment().some((one) => consumer.position(one) === undefined)) await pause(5);
const startMs = Math.round(performance.now() - from);
if (consumer.assignment().length !== partitions) throw new Error(`${consumer.assignment().length} partitions assigned`);
// The first fetches name all partitions, the next ones what came of that.
await pause(2_000);
const first = dialer.of(apis.Fetch);
const before = first.length;
await pause(seconds * 1_000);
const steady = dialer.of(apis.Fetch).slice(before);
const byBroker = Map.groupBy(dialer.of(apis.ListOffsets), (request) => request.port);
const result = {
  requestBytes: Math.max(...steady.map((request) => request.bytes)),
  fullRequestBytes: Math.max(...first.map((request) => request.bytes)),
  steadyFetches: steady.length,
  requestsPerBroker: Math.max(...[...byBroker.values()].map((requests) => requests.length)),
  brokersAsked: byBroker.size,
  startMs,
  peakRssMiB: peakRssMiB(),
};
await krafka.close();
finish(result);
