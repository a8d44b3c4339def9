import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;
const running = new Set<ChildProcess>();

beforeAll(async () => void (cluster = await openTestCluster()));
beforeEach(() => void (apps = new NestApps(cluster)));
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await apps.close();
});
afterAll(() => cluster.close());

interface Fact {
  readonly begun?: number;
  readonly handled?: readonly number[];
  readonly hook?: string;
  readonly status?: string;
  readonly listening?: boolean;
}

/** The service of leaving-service.ts, and what it says. */
const service = (groupId: string, topic: string, mode: 'batches' | 'held' | 'stop') =>
  processOf('leaving-service.ts', groupId, topic, mode);

function processOf(script: string, ...told: string[]) {
  const loader = new URL('../../support/typescript.mjs', import.meta.url).href;
  const path = fileURLToPath(new URL(script, import.meta.url));
  const args = [cluster.bootstrap, JSON.stringify(cluster.connection), ...told];
  const child = spawn(process.execPath, ['--import', loader, path, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const facts: Fact[] = [];
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) facts.push(JSON.parse(line) as Fact);
  });
  const ended = new Promise<{ readonly code: number | null; readonly signal: string | null }>((resolve) =>
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    }),
  );
  const handled = (): number[] => facts.flatMap((fact) => fact.handled ?? []);
  return { child, facts, ended, handled };
}

describe('A process that is told to end by SIGTERM in the middle of its batches', () => {
  it('finishes what it has begun before its providers are closed, and the next one loses and repeats nothing', async () => {
    const topic = await cluster.newTopic(3);
    const groupId = cluster.name('group');
    const { client } = await apps.client();
    const ids = Array.from({ length: 600 }, (_, id) => id);
    const produced = await client.producer.sendAll(ids.map((id) => ({ topic, key: String(id), value: String(id) })));
    expect(produced).toHaveLength(600);
    const first = service(groupId, topic, 'held');
    const isInTheMiddle = (): boolean =>
      first.facts.some(({ listening }) => listening) &&
      first.handled().length > 0 &&
      first.facts.filter(({ begun }) => begun).length > first.facts.filter(({ handled }) => handled).length;
    await until('a batch in hand', isInTheMiddle);
    first.child.kill('SIGTERM');
    expect(await first.ended).toEqual({ code: null, signal: 'SIGTERM' });
    const begun = first.facts.reduce((sum, fact) => sum + (fact.begun ?? 0), 0);
    expect(first.handled()).toHaveLength(begun);
    expect(first.handled().length).toBeLessThan(600);
    const order = first.facts.flatMap(({ hook, status, handled }) => hook ?? status ?? (handled && 'handled') ?? []);
    expect(order.lastIndexOf('handled')).toBeLessThan(order.indexOf('stopped'));
    expect(order.slice(order.indexOf('stopped'))).toEqual([
      'stopped',
      'disconnected',
      'onModuleDestroy',
      'beforeApplicationShutdown',
      'onApplicationShutdown',
    ]);
    const second = service(groupId, topic, 'batches');
    await until('the rest', () => first.handled().length + second.handled().length >= 600);
    second.child.kill('SIGTERM');
    await second.ended;
    expect([...first.handled(), ...second.handled()].toSorted((a, b) => a - b)).toEqual(ids);
  });
});

describe('A process whose consumer can not go on (#10950)', () => {
  it("ends in good order where onCrash.then is 'exit', instead of living on for nothing", async () => {
    const topic = await cluster.newTopic();
    const { client } = await apps.client();
    await client.producer.send({ topic, value: 'poison' });
    const { facts, ended } = service(cluster.name('group'), topic, 'stop');
    expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
    const order = facts.flatMap(({ hook, status }) => hook ?? status ?? []);
    expect(order.filter((fact) => fact !== 'rebalancing')).toEqual(
      expect.arrayContaining([
        'crashed',
        'stopped',
        'disconnected',
        'beforeApplicationShutdown',
        'onApplicationShutdown',
      ]),
    );
  });
});

describe('A process whose application is closed while it asks, and asks again whenever that fails', () => {
  it('ends by itself', async () => {
    const topic = await cluster.newTopic();
    const { facts, ended } = processOf('leaving-client.ts', topic);
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(facts).toEqual([{ hook: 'closed' }]);
  });
});
