import { apis, Deadline, Krafka, systemClock } from '../../dist/core/index.js';
import { encodeRequestFrame, NO_STAMP, Reader, RecordBatchBuilder } from '../../dist/core/protocol/index.js';
import { RawSocket } from './raw-socket.mjs';
import { KEYS, valuesOf } from './values.mjs';

const VERSION = 9;
const SETTLE_MS = 30_000;
// A broker that has not heard yet that it leads a partition of a topic that was just created.
const NOT_YET = new Set([3, 5, 6]);

/** Sockets to a topic's leaders, so many to each, and the partitions of each: a leader's are dealt out among its sockets. */
export async function openLanes(topic, sockets = 1) {
  const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench' });
  const { partitions } = await krafka.cluster.topic(topic, new Deadline(systemClock, 10_000, 'metadata'));
  const brokers = krafka.cluster.metadata.brokers;
  await krafka.close();
  const lanes = [];
  for (const [leader, own] of Map.groupBy(partitions, (one) => one.leader)) {
    const { host, port } = brokers.get(leader);
    for (let index = 0; index < sockets; index++) {
      const dealt = own.filter((_, place) => place % sockets === index).map((one) => one.partition);
      if (dealt.length > 0) lanes.push({ socket: await RawSocket.open(host, port), partitions: dealt });
    }
  }
  return lanes;
}

/** Encodes Produce requests with a batch for each of some partitions, as full as `batchBytes` and `perBatch` allow. */
export function requestsTo({ topic, bytes, batchBytes = 64 * 1024 }) {
  const values = valuesOf(bytes);
  return (partitions, perBatch = Infinity) => {
    let count = 0;
    const partitionData = partitions.map((index) => {
      const builder = new RecordBatchBuilder({ maxBytes: batchBytes });
      const now = Date.now();
      let at = 0;
      while (at < perBatch && builder.append(now, KEYS[at % 1_000], values[at % 1_000])) at++;
      count += at;
      return { index, records: Buffer.concat(builder.seal(NO_STAMP)) };
    });
    const body = { acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData }] };
    return { count, frame: Buffer.concat(encodeRequestFrame(apis.Produce, VERSION, 1, 'bench', body)) };
  };
}

/** Sends a request, and sees that its answer says that all of it was written. */
export async function exchange(socket, frame) {
  const errorCode = await errorOf(socket, frame);
  if (errorCode !== 0) throw new Error(`the broker refused a batch: error ${errorCode}`);
}

/** Sends each request until it is taken: the topic is new, and not every broker knows at once what it leads of it. */
export async function settle(socket, requests) {
  const ends = performance.now() + SETTLE_MS;
  for (const { frame } of requests) {
    for (;;) {
      const errorCode = await errorOf(socket, frame);
      if (errorCode === 0) break;
      if (!NOT_YET.has(errorCode) || performance.now() > ends)
        throw new Error(`the broker refused a batch: error ${errorCode}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** The first error that the answer to a request names; 0 when all of it was written. */
async function errorOf(socket, frame) {
  socket.write(frame);
  // Correlation id and no tags: the header.
  const { responses } = apis.Produce.response.decode(new Reader(await socket.answer(), 5), VERSION);
  return responses[0].partitionResponses.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? 0;
}
