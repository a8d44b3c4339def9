// Requests through Nest: the client in this process, the server in one of its own.
// argv: client, JSON of { transport, topic, records, outstanding, connectionsPerBroker }
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { firstValueFrom } from 'rxjs';
import { finish, Meter } from '../meter.mjs';
import { connect } from './application.mjs';

const load = JSON.parse(process.argv[3]);
const { topic, outstanding } = load;
const { BENCH_PROFILE: profile, ...environment } = process.env;
const server = fork(new URL('server.mjs', import.meta.url), [JSON.stringify(load)], {
  env: profile === undefined ? environment : { ...environment, BENCH_PROFILE: `${profile}.server` },
});
server.once('exit', (code) => {
  throw new Error(`the server ended with ${code}`);
});
await once(server, 'message');
const client = await connect({ ...load, brokers: process.env.BENCH_BROKERS, groupId: `${topic}-clients` });
const meter = new Meter();

await ask(Math.ceil(load.records / 5));
const before = await serverUsage();
meter.start();
const answered = await ask(load.records);
const own = meter.result(answered, 'Request');
const after = await serverUsage();
const serverCpu = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
server.removeAllListeners('exit');
server.kill();
finish({
  ...own,
  cpuUsPerRequest: Number((own.cpuUsPerRequest + serverCpu / answered).toFixed(1)),
  ofThatTheServer: Number((serverCpu / answered).toFixed(1)),
  peakRssMiB: Math.round(Math.max(own.peakRssMiB, after.peakRssMiB)),
});

async function ask(requests) {
  let next = 0;
  let count = 0;
  const caller = async () => {
    while (next < requests) {
      const quantity = next++ % 100;
      const from = performance.now();
      const quote = await firstValueFrom(client.send(topic, { sku: 'tea', quantity, note: 'as soon as it is there' }));
      meter.times.push(performance.now() - from);
      if (quote.cents !== quantity * 250) throw new Error(`a wrong answer: ${JSON.stringify(quote)}`);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: outstanding }, caller));
  return count;
}

async function serverUsage() {
  server.send('cpu');
  const [usage] = await once(server, 'message');
  return usage;
}
