// Produce requests that were encoded beforehand, to every leader: what brokers take from a client that does nothing.
// argv: client, JSON of { topic, records, bytes, inFlight, sockets, batchBytes, perBatch, wave, shape }
import { finish, Meter } from './meter.mjs';
import { exchange, openLanes, requestsTo, settle } from './raw-produce.mjs';

const load = JSON.parse(process.argv[3]);
const encode = requestsTo(load);
const lanes = (await openLanes(load.topic, load.sockets)).map(({ socket, partitions }) => {
  // A wave carries a batch of every partition of its socket; else each partition has requests of its own.
  const groups = load.wave ? [partitions] : partitions.map((partition) => [partition]);
  return { socket, next: 0, requests: groups.map((group) => encode(group, load.perBatch)) };
});
for (const { socket, requests } of lanes) await settle(socket, requests);
const meter = new Meter();
await replay(Math.ceil(load.records / 10));
meter.start();
const acknowledged = await replay(load.records);
finish(meter.result(acknowledged));

/** Keeps `inFlight` requests on each socket until `records` were sent by all together. */
async function replay(records) {
  let sent = 0;
  let counted = 0;
  const caller = async (lane) => {
    while (sent < records) {
      const { count, frame } = lane.requests[lane.next++ % lane.requests.length];
      const from = performance.now();
      sent += count;
      await exchange(lane.socket, frame);
      if (load.shape === 'awaited') meter.times.push(performance.now() - from);
      counted += count;
    }
  };
  await Promise.all(lanes.flatMap((lane) => Array.from({ length: load.inFlight }, () => caller(lane))));
  return counted;
}
