// One client reading a topic from its beginning in this process.
// argv: client, JSON of { adapter, mode: 'batch' | 'record', topic, records, warm, compression }
import { finish, Meter } from './meter.mjs';

const load = JSON.parse(process.argv[3]);
const { consume } = await import(`./adapters/${load.adapter}.mjs`);
let read = 0;
const missing = await warmUp();
if (missing !== undefined) {
  finish(missing);
} else {
  // The clock runs from the assignment, before the first fetch, to the last record: whatever was read and decoded ahead of
  // its handler counts, the joining of the group does not.
  globalThis.gc?.();
  const meter = new Meter();
  const { absent: _, ...result } = await reading(load.records, 'measured', {
    assigned: () => meter.start({ collecting: false }),
    ended: () => meter.result(load.records),
  });
  if (read === 0) throw new Error('nothing was read');
  finish(result);
}

/** Another consumer reads some of the topic first: cold code is not what is measured. */
async function warmUp() {
  if (load.warm === 0) return undefined;
  const { absent } = await reading(load.warm, 'warm', { assigned: () => undefined, ended: () => ({}) });
  return absent === undefined ? undefined : { absent };
}

/** What `ended` answers once so many records were touched by a consumer in a group of its own. */
async function reading(records, name, { assigned, ended }) {
  let count = 0;
  let resolveDone;
  const done = new Promise((resolve) => (resolveDone = resolve));
  const touch = (value) => {
    read += value.length + value[0];
    count += 1;
    if (count === records) resolveDone(ended());
  };
  let isAssigned = false;
  const own = await consume({
    ...load,
    brokers: process.env.BENCH_BROKERS,
    groupId: `${load.topic}-${process.pid}-${name}`,
    touch,
    assigned: () => {
      if (!isAssigned) assigned();
      isAssigned = true;
    },
  });
  if (own.absent !== undefined) return own;
  own.failed?.catch((error) => {
    throw error;
  });
  const result = await done;
  if (!isAssigned) throw new Error('the client did not tell of its assignment');
  await own.close();
  return result;
}
