// Produce requests that were encoded beforehand, one in flight to each leader, with as many records as callers would have
// waiting for it: a caller whose record was acknowledged sends its next one to the next partition, whoever leads that.
// argv: client, JSON of { topic, records, bytes, outstanding }
import { finish, Meter } from './meter.mjs';
import { exchange, openLanes, requestsTo, settle } from './raw-produce.mjs';

const load = JSON.parse(process.argv[3]);
const encode = requestsTo({ ...load, batchBytes: 2 ** 20 });
const lanes = (await openLanes(load.topic)).map(({ socket, partitions }) => {
  const most = Math.ceil(load.outstanding / partitions.length);
  const requests = Array.from({ length: most }, (_, index) => encode(partitions, index + 1));
  return { socket, partitions: partitions.length, requests, waiting: 0, busy: false };
});
const turns = lanes.flatMap((lane) => Array(lane.partitions).fill(lane));
for (const { socket, requests } of lanes) await settle(socket, requests.slice(0, 1));
const meter = new Meter();
await replay(Math.ceil(load.records / 10));
meter.start();
const acknowledged = await replay(load.records);
finish(meter.result(acknowledged));

function replay(records) {
  let next = 0;
  let counted = 0;
  return new Promise((resolve, reject) => {
    const offer = (count) => {
      for (let left = Math.min(count, records - next); left > 0; left--) turns[next++ % turns.length].waiting += 1;
      for (const lane of lanes) if (!lane.busy) send(lane);
    };
    const send = (lane) => {
      // What does not fill every partition's batch evenly waits for the next request, unless it is the last there is.
      const each = Math.min(Math.floor(lane.waiting / lane.partitions), lane.requests.length);
      const request = lane.requests[Math.max(each, next >= records && lane.waiting > 0 ? 1 : 0) - 1];
      if (request === undefined) return;
      lane.busy = true;
      lane.waiting = Math.max(0, lane.waiting - request.count);
      exchange(lane.socket, request.frame).then(() => {
        lane.busy = false;
        counted += request.count;
        offer(request.count);
        if (lanes.every((one) => !one.busy && one.waiting === 0)) resolve(counted);
      }, reject);
    };
    offer(load.outstanding);
  });
}
