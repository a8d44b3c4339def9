// The two round trips themselves: a Produce on one socket and, waiting on another, the Fetch that it ends.
// argv: client, JSON of { topic, records, bytes, overlapping }
import { apis, Deadline, Krafka, systemClock } from '../../dist/core/index.js';
import { encodeRequestFrame, NO_STAMP, Reader, RecordBatchBuilder } from '../../dist/core/protocol/index.js';
import { finish, Meter } from './meter.mjs';
import { RawSocket } from './raw-socket.mjs';

const load = JSON.parse(process.argv[3]);
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench' });
const { partitions } = await krafka.cluster.topic(load.topic, new Deadline(systemClock, 10_000, 'metadata'));
const { host, port } = krafka.cluster.metadata.brokers.get(partitions[0].leader);
await krafka.close();

const builder = new RecordBatchBuilder({ maxBytes: 64 * 1024 });
builder.append(Date.now(), null, Buffer.alloc(load.bytes, 'x'));
const partitionData = [{ index: 0, records: Buffer.concat(builder.seal(NO_STAMP)) }];
const topicData = [{ name: load.topic, partitionData }];
const produce = Buffer.concat(encodeRequestFrame(apis.Produce, 9, 1, 'b', { acks: -1, timeoutMs: 30_000, topicData }));
const fetch = (fetchOffset) => {
  const topics = [{ topic: load.topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 2 ** 20 }] }];
  return Buffer.concat(encodeRequestFrame(apis.Fetch, 12, 1, 'b', { maxWaitMs: 10_000, minBytes: 1, topics }));
};

const [out, back] = await Promise.all([RawSocket.open(host, port), RawSocket.open(host, port)]);
const meter = new Meter();
for (let index = 0; index < load.records + 500; index++) {
  if (index === 500) meter.start();
  const ask = fetch(index);
  if (load.overlapping) back.write(ask);
  const from = performance.now();
  out.write(produce);
  const acknowledged = await out.answer();
  if (!load.overlapping) back.write(ask);
  const fetched = await back.answer();
  meter.times.push(performance.now() - from);
  check(acknowledged, fetched);
}
finish(meter.result(load.records));

function check(acknowledged, fetched) {
  const produced = apis.Produce.response.decode(new Reader(acknowledged, 5), 9).responses[0].partitionResponses[0];
  if (produced.errorCode !== 0) throw new Error(`the broker refused a batch: error ${produced.errorCode}`);
  const [read] = apis.Fetch.response.decode(new Reader(fetched, 5), 12).responses[0].partitions;
  if (read.errorCode !== 0 || read.records === null || read.records.length === 0)
    throw new Error('nothing was fetched');
}
