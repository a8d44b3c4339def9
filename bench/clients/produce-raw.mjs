// Produce requests that were encoded beforehand, over one socket: what the broker takes from a client that does nothing.
// argv: client, JSON of { topic, records, bytes, batchBytes, outstanding }
import { apis, Deadline, Krafka, systemClock } from '../../dist/core/index.js';
import { encodeRequestFrame, NO_STAMP, Reader, RecordBatchBuilder } from '../../dist/core/protocol/index.js';
import { finish, Meter } from './meter.mjs';
import { RawSocket } from './raw-socket.mjs';
import { KEYS, valuesOf } from './values.mjs';

const VERSION = 9;
const load = JSON.parse(process.argv[3]);
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench' });
const partitions = (await krafka.cluster.topic(load.topic, new Deadline(systemClock, 10_000, 'metadata'))).partitions;
const leader = krafka.cluster.metadata.brokers.get(partitions[0].leader);
await krafka.close();
const own = partitions.filter((partition) => partition.leader === leader.nodeId);

const values = valuesOf(load.bytes);
const { requests, perRequest } = encode(values);
const socket = await RawSocket.open(leader.host, leader.port);
const meter = new Meter();
await replay(Math.ceil(load.records / 10));
meter.start();
const acknowledged = await replay(load.records);
finish(meter.result(acknowledged));

/** A request for each partition, its batch as full as `batchBytes` allows. */
function encode(content) {
  let count = 0;
  const frames = own.map(({ partition }) => {
    const builder = new RecordBatchBuilder({ maxBytes: load.batchBytes });
    const now = Date.now();
    let index = 0;
    while (index < (load.perBatch ?? Infinity) && builder.append(now, KEYS[index % 1_000], content[index % 1_000]))
      index++;
    count = index;
    const records = Buffer.concat(builder.seal(NO_STAMP));
    const topicData = [{ name: load.topic, partitionData: [{ index: partition, records }] }];
    return Buffer.concat(
      encodeRequestFrame(apis.Produce, VERSION, 1, 'bench', { acks: -1, timeoutMs: 30_000, topicData }),
    );
  });
  return { requests: frames, perRequest: count };
}

async function replay(records) {
  const needed = Math.ceil(records / perRequest);
  let sent = 0;
  let counted = 0;
  const caller = async () => {
    while (sent < needed) {
      const from = performance.now();
      socket.write(requests[sent++ % requests.length]);
      check(await socket.answer());
      if (load.outstanding === 1) meter.times.push(performance.now() - from);
      counted += perRequest;
    }
  };
  await Promise.all(Array.from({ length: load.outstanding }, caller));
  return counted;
}

function check(answer) {
  // Correlation id and no tags: the header.
  const { responses } = apis.Produce.response.decode(new Reader(answer, 5), VERSION);
  const { errorCode } = responses[0].partitionResponses[0];
  if (errorCode !== 0) throw new Error(`the broker refused a batch: error ${errorCode}`);
}
