// The server of an rpc line, in a process of its own beside the client's: measured from `start` to `stop`.
import { Meter } from '../meter.mjs';
import { listen, requestModule } from './application.mjs';

const load = JSON.parse(process.argv[2]);
const meter = new Meter();
await listen(requestModule(load.topic), {
  ...load,
  brokers: process.env.BENCH_BROKERS,
  groupId: `${load.topic}-servers`,
});
process.on('message', ({ start, count }) => {
  if (start) meter.start();
  process.send(start ? 'started' : meter.result(count, 'Request'));
});
process.on('disconnect', () => process.exit(0));
process.send('ready');
