// Requests through Nest: the same application on this transport and on Nest's own, client and server a process each.
import { timesAtLeast, timesAtMost } from '../harness/targets.mjs';

const BUILT_IN = 'built-in';

/** A request topic and its reply topic, for as long as a client takes. */
async function withTopics(run, use) {
  const topic = await run.topic({ partitions: 6 });
  await run.topic({ partitions: 6, name: `${topic}.reply` });
  try {
    return await use(topic);
  } finally {
    await run.drop(topic, `${topic}.reply`);
  }
}

function client(transport, load, share = 1) {
  return (run) =>
    withTopics(run, (topic) =>
      run.client(transport, 'nest/requests.mjs', {
        ...load,
        transport,
        topic,
        records: Math.max(load.outstanding * 2, run.size(load.records * share)),
      }),
    );
}

function line(name, says, load, targets, share = 0.3) {
  return {
    name,
    says,
    place: name.startsWith('three') ? 'three' : 'one',
    field: load.outstanding === 1 ? 'p50' : 'requestsPerSecond',
    clients: { krafka: client('krafka', load), [BUILT_IN]: client(BUILT_IN, load, share) },
    targets,
  };
}

/** Cold starts, and how long Node takes to load Nest alone: no client can be faster than that. */
function coldStart(name, says, { place, ...load }) {
  const started = (transport, more) => (run) =>
    withTopics(run, (topic) => run.client(transport, 'nest/cold-start.mjs', { ...load, ...more, transport, topic }));
  return {
    name,
    says,
    place,
    field: 'coldStartMs',
    clients: {
      krafka: started('krafka'),
      ...(load.serves ? { 'krafka KIP-848 group': started('krafka', { groupProtocol: 'consumer' }) } : {}),
      [BUILT_IN]: started(BUILT_IN),
      'Nest loaded': started('none', { part: undefined, serves: false }),
    },
    targets: [timesAtMost(0.334, [BUILT_IN], 'coldStartMs', "the built-in's")],
  };
}

const one = { outstanding: 1, records: 3_000 };
const some = { outstanding: 64, records: 30_000 };
const many = { outstanding: 512, records: 50_000 };
const bundled = { connectionsPerBroker: 4 };
const faster = timesAtLeast(5, [BUILT_IN], 'requestsPerSecond', "the built-in's requests/s");
const cheaper = timesAtMost(0.334, [BUILT_IN], 'cpuUsPerRequest', "the built-in's");

export const lines = [
  line('one', 'one request at a time', one, [timesAtMost(0.334, [BUILT_IN], 'p50', "the built-in's"), cheaper], 0.7),
  line('64', '64 requests outstanding', some, [faster, timesAtMost(0.2, [BUILT_IN], 'p99', "the built-in's"), cheaper]),
  line('512', '512 requests outstanding', many, [faster, cheaper]),
  coldStart(
    'cold-start',
    'from the start of a client process to its first reply, a server being up; groups wait 3 s for members, as by default',
    { place: 'joins-wait', part: 'client' },
  ),
  coldStart(
    'cold-start-both',
    'from the start of a process that serves and asks to its first reply; groups wait 3 s for members, as by default',
    { place: 'joins-wait', serves: true },
  ),
  coldStart(
    'cold-start-no-wait',
    'from the start of a client process to its first reply, a server being up; groups do not wait',
    { place: 'one', part: 'client' },
  ),
  line(
    'three-64',
    'three nodes, replication factor 3, connectionsPerBroker 4: 64 outstanding',
    { ...some, ...bundled },
    [faster],
  ),
  line(
    'three-512',
    'three nodes, replication factor 3, connectionsPerBroker 4: 512 outstanding',
    { ...many, ...bundled },
    [faster],
  ),
];
