// Fetch requests that were worked out beforehand, whose answers are read and not looked at.
// argv: client, JSON of { topic, records }
import { apis, Deadline, Krafka, systemClock } from '../../dist/core/index.js';
import { encodeRequestFrame, Reader } from '../../dist/core/protocol/index.js';
import { finish, Meter } from './meter.mjs';
import { RawSocket } from './raw-socket.mjs';

const VERSION = 12;
const load = JSON.parse(process.argv[3]);
const krafka = new Krafka({ brokers: process.env.BENCH_BROKERS, clientId: 'bench' });
const { partitions } = await krafka.cluster.topic(load.topic, new Deadline(systemClock, 10_000, 'metadata'));
const leader = krafka.cluster.metadata.brokers.get(partitions[0].leader);
await krafka.close();

const socket = await RawSocket.open(leader.host, leader.port);
const { requests, counts } = await plan();
const warm = Math.max(1, Math.floor(requests.length / 10));
const meter = new Meter();
await replay(0, warm);
meter.start();
const read = await replay(warm, requests.length);
finish(meter.result(read));

/** Reads everything once, as a consumer would, and keeps the requests and how many records answered each. */
async function plan() {
  const next = new Map(partitions.filter((one) => one.leader === leader.nodeId).map((one) => [one.partition, 0]));
  const planned = { requests: [], counts: [] };
  for (;;) {
    const request = Buffer.concat(encodeRequestFrame(apis.Fetch, VERSION, 1, 'bench', fetchFrom(next)));
    socket.write(request);
    const { responses } = apis.Fetch.response.decode(new Reader(await socket.answer(), 5), VERSION);
    let count = 0;
    for (const { partitionIndex, errorCode, records } of responses.flatMap((topic) => topic.partitions)) {
      if (errorCode !== 0) throw new Error(`the broker refused a fetch: error ${errorCode}`);
      const end = endOf(records, next.get(partitionIndex));
      count += end - next.get(partitionIndex);
      next.set(partitionIndex, end);
    }
    if (count === 0) return planned;
    planned.requests.push(request);
    planned.counts.push(count);
  }
}

function fetchFrom(next) {
  return {
    maxWaitMs: 1,
    minBytes: 1,
    maxBytes: 50 * 2 ** 20,
    topics: [
      {
        topic: load.topic,
        partitions: [...next].map(([partition, fetchOffset]) => ({
          partition,
          fetchOffset,
          partitionMaxBytes: 2 ** 20,
        })),
      },
    ],
  };
}

/** The offset behind the last whole batch. */
function endOf(records, from) {
  let end = from;
  let at = 0;
  if (records === null) return end;
  while (records.length - at >= 61) {
    const size = 12 + records.readInt32BE(at + 8);
    if (records.length - at < size) break;
    end = Number(records.readBigInt64BE(at)) + records.readInt32BE(at + 23) + 1;
    at += size;
  }
  return end;
}

async function replay(from, to) {
  let count = 0;
  for (let index = from; index < to; index++) {
    socket.write(requests[index]);
    await socket.answer();
    count += counts[index];
  }
  return count;
}
