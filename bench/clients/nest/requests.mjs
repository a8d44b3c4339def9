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
  env:
    profile === undefined
      ? environment
      : { ...environment, BENCH_PROFILE: profile.replace('.cpuprofile', '-server.cpuprofile') },
});
server.once('exit', (code) => {
  throw new Error(`the server ended with ${code}`);
});
await once(server, 'message');
const client = await connect({ ...load, brokers: process.env.BENCH_BROKERS, groupId: `${topic}-clients` });
const meter = new Meter();

await ask(Math.ceil(load.records / 5));
await tellServer({ start: true });
meter.start();
const answered = await ask(load.records);
const own = meter.result(answered, 'Request');
const servers = await tellServer({ count: answered });
server.removeAllListeners('exit');
server.kill();
finish({
  ...own,
  cpuUsPerRequest: Number((own.cpuUsPerRequest + servers.cpuUsPerRequest).toFixed(1)),
  ofThatTheServer: servers.cpuUsPerRequest,
  peakRssMiB: Math.max(own.peakRssMiB, servers.peakRssMiB),
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

async function tellServer(message) {
  server.send(message);
  const [answer] = await once(server, 'message');
  return answer;
}
