import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);
const path = (name: string): string => fileURLToPath(new URL(name, root));

/** What each sample says in the end, on an embedded broker or a real one. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  '02-request-reply-streams': [
    'ticks: [{"tick":0},{"tick":1},{"tick":2}]',
    'range: 5000 replies in order: true',
    'error: {"code":"EMPTY_RANGE","from":2,"to":1}',
    'deadline: KrafkaTimeoutError',
    'aborted: the user has left',
    'still waiting: 0',
  ],
  '03-failure-policy': [
    'a booked by attempt 3; d booked by attempt 1 | dead letters: 2',
    'quick sent by attempt 1; slow sent by attempt 3',
    'why: the bank is away',
    'replayed: true | true',
  ],
  '04-batch': ['readings: 2000 in fewer than 100 batches: true', 'at work at once: several | each key in order: true'],
  '05-exactly-once': ['orders: 4 failures on the way: 1', 'each invoiced once, in order: true'],
  '06-two-clusters': ['topics there: orders.archived', 'records there: 3'],
  '07-health': ['without a broker: health 503 down', 'without a broker: live 200 up'],
  '08-hybrid-http': ['POST /orders 201', 'GET /price/tea {"sku":"tea","price":3}', 'handled {"sku":"tea"}'],
  '09-migrating': [
    'Nest asks krafka: {"sku":"tea","topic":"legacy.price","by":"krafka"}',
    'krafka asks Nest: {"sku":"tea","topic":"legacy.price","by":"Nest"}',
    'krafka asks Nest wrongly: {"code":"NO_SKU"}',
    'Nest asks krafka wrongly: {"code":"NO_SKU"}',
    'handled: order Nest -> Nest by Nest; order krafka -> Nest by Nest',
    'handled: order Nest -> krafka by krafka; order krafka -> krafka by krafka',
  ],
};

// They are written for a cluster without TLS and passwords.
const isSecured = process.env['KAFKA_CONNECTION'] !== undefined;

/** A process, a cluster's topics and several groups: that takes its time where much else is running. */
const PATIENCE_MS = 90_000;

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill();
});

/** Runs a sample as a person would; they use the built library. */
function run(name: string): Promise<{ readonly code: number | null; readonly lines: readonly string[] }> {
  const child = spawn(
    process.execPath,
    ['--import', path('test/support/typescript.mjs'), path(`sample/${name}/src/main.ts`)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  running.add(child);
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  return new Promise((resolve) =>
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code, lines: said.trim().split('\n') });
    }),
  );
}

describe('A sample', () => {
  it('is run here, each there is', () => {
    const names = readdirSync(path('sample')).filter((name) => existsSync(path(`sample/${name}/src/main.ts`)));
    expect(names.toSorted()).toEqual(Object.keys(EXPECTED));
    for (const name of names) expect(existsSync(path(`sample/${name}/README.md`))).toBe(true);
    expect(existsSync(path('dist/index.js')) || 'npm run build comes first').toBe(true);
  });
});

(isSecured ? describe.skip : describe)('A sample on a cluster without passwords', () => {
  it.each(Object.entries(EXPECTED))(
    'does what it says: %s',
    async (name, lines) => {
      const outcome = await run(name);
      expect(outcome).toMatchObject({ code: 0, lines: expect.arrayContaining([...lines]) as string[] });
    },
    PATIENCE_MS,
  );
});
