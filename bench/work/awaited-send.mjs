// One awaited send after another (lingerMs 0), alone and while a consumer of the same client idles in a 500 ms long
// poll: a client with one socket for everything shows the long poll in its sends.
import { timesAtMost } from '../harness/targets.mjs';

function client(beside) {
  return (run) =>
    run.withTopic({ partitions: 1 }, (topic) =>
      run.withTopic({ partitions: 1 }, (quiet) =>
        run.client('krafka', 'awaited-send.mjs', { topic, quiet, bytes: 100, records: run.size(3_000), beside }),
      ),
    );
}

export const lines = [
  {
    name: 'awaited-send',
    says: "one awaited send after another beside a consumer's idle long poll",
    place: 'one',
    field: 'p50',
    clients: { krafka: client(true), 'krafka alone': client(false) },
    targets: [timesAtMost(1.2, ['krafka alone'], 'p50')],
  },
];
