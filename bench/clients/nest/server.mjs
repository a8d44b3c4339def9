// The server of an rpc line, in a process of its own beside the client's. Tells its CPU time when it is asked.
import { listen, requestModule } from './application.mjs';

const load = JSON.parse(process.argv[2]);
const brokers = process.env.BENCH_BROKERS;
const app = await listen(requestModule(load.topic), { ...load, brokers, groupId: `${load.topic}-servers` });
process.on('message', (message) => {
  if (message === 'cpu') process.send({ cpu: process.cpuUsage(), peakRssMiB: process.resourceUsage().maxRSS / 1_024 });
});
process.on('disconnect', () => process.exit(0));
process.send('ready');
export { app };
