// From the start of a process to its first reply, on topics that are there.
// argv: client, JSON of { transport, topic, serves, groupProtocol }
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { firstValueFrom } from 'rxjs';
import { finish, peakRssMiB } from '../meter.mjs';
import { connect, listen, requestModule } from './application.mjs';

const load = { ...JSON.parse(process.argv[3]), brokers: process.env.BENCH_BROKERS };
if (load.part === 'client') await measureClient();
else await measure();

/** The process that is measured. */
async function measure() {
  if (load.transport === 'none') return tell();
  // As Nest's documentation has it: an application connects its client before it listens.
  const client = await connect({ ...load, groupId: `${load.topic}-clients` });
  if (load.serves) await listen(requestModule(load.topic), { ...load, groupId: `${load.topic}-servers` });
  await firstValueFrom(client.send(load.topic, { sku: 'tea', quantity: 1 }));
  return tell();
}

/** A server that is up already, then the process that is measured beside it. */
async function measureClient() {
  await listen(requestModule(load.topic), { ...load, groupId: `${load.topic}-servers` });
  const args = [load.transport, JSON.stringify({ ...load, part: undefined })];
  const child = fork(fileURLToPath(import.meta.url), args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the client ended with ${code}`);
  // Nest's client logs before it.
  finish(JSON.parse(out.trim().split('\n').at(-1)));
}

function tell() {
  // performance.now() counts from the start of the process.
  const coldStartMs = Math.round(performance.now());
  const { user, system } = process.cpuUsage();
  finish({ coldStartMs, cpuMs: Math.round((user + system) / 1_000), peakRssMiB: peakRssMiB() });
}
