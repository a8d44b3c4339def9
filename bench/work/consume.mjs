// Consuming from a group, commits on: from the assignment to the last record, in a process that has read some of it before.
import { Krafka } from '../../dist/core/index.js';
import { KEYS, valuesOf } from '../clients/values.mjs';
import { onOldestNode } from '../harness/oldest-node.mjs';
import { alwaysAtMost, atLeast, timesAtLeast, timesAtMost } from '../harness/targets.mjs';

const RAW = 'undecoded read';
const PEERS = ['kafkajs', 'platformatic', 'librdkafka'];

/** A client on the line's topic. A slow one reads a share of the records: its rate is the same. */
function client(adapter, load, share = 1, node = undefined) {
  return (run, topic) => {
    const records = run.size(load.records * share);
    const warm = load.warm ?? Math.ceil(records / 10);
    return run.client(adapter, 'consume.mjs', { ...load, adapter, topic, records, warm }, { node });
  };
}

function peers(load, share = {}) {
  return Object.fromEntries(PEERS.map((peer) => [peer, client(peer, load, share[peer] ?? 1)]));
}

function raw(load) {
  return (run, topic) => run.client(RAW, 'consume-raw.mjs', { topic, records: run.size(load.records) });
}

/** Kafka's own ConsumerPerformance; its fetch rate, without the time to join. */
function java(load) {
  return async (run, topic) => {
    if (run.place.jars === undefined) return { absent: 'KAFKA_JARS is not set' };
    const out = await run.java('ConsumerPerformance', [
      ...['--bootstrap-server', run.place.brokers, '--topic', topic, '--num-records', run.size(load.records)],
      ...['--hide-header', '--timeout', '20000'],
    ]);
    const rate = Number(out.trim().split('\n').at(-1).split(',').at(-1));
    if (!(rate > 0)) throw new Error(`ConsumerPerformance said: ${out.slice(-300)}`);
    return { recordsPerSecond: Math.round(rate) };
  };
}

/** The line's topic, filled in batches of 64 KiB and read once: a first read finds the page cache cold. */
async function fill(run, { records, bytes, compression }) {
  const topic = await run.topic({ partitions: 6 });
  const krafka = new Krafka({ brokers: run.place.brokers, clientId: 'bench-fill' });
  const producer = krafka.producer({ lingerMs: 50, compression });
  const values = valuesOf(bytes);
  const batch = KEYS.map((key, index) => ({ topic, key, value: values[index] }));
  let left = Math.ceil(run.size(records) / batch.length);
  const writer = async () => {
    while (left-- > 0) await producer.sendAll(batch);
  };
  await Promise.all(Array.from({ length: 20 }, writer));
  await krafka.close();
  await run.client(RAW, 'consume-raw.mjs', { topic, records });
  return topic;
}

const small = { mode: 'batch', records: 3_000_000, bytes: 100, compression: 'none' };
const large = { mode: 'record', records: 600_000, bytes: 1_024, compression: 'none' };
// The memory of one consumer, not of two.
const kept = { mode: 'record', records: 2_000_000, bytes: 100, compression: 'none', warm: 0 };
const packed = { mode: 'batch', records: 4_000_000, bytes: 100 };
const once = { records: 2_000, bytes: 100 };

function filled(load, line) {
  return {
    place: 'one',
    field: 'recordsPerSecond',
    prepare: (run) => fill(run, load),
    release: (run, topic) => (topic === undefined ? undefined : run.drop(topic)),
    ...line,
  };
}

/**
 * Waits until every partition has a leader that answers: a topic of so many takes its time, and what is asked again because
 * of that is not what is counted.
 */
async function allLed(run, topic, partitions) {
  const ends = performance.now() + 60_000;
  for (;;) {
    try {
      const offsets = await run.krafka.admin().listOffsets([{ topic, at: 'earliest' }], { timeoutMs: 10_000 });
      if (offsets.length === partitions) break;
    } catch (error) {
      if (performance.now() > ends) throw error;
    }
    if (performance.now() > ends) throw new Error(`${topic} has not ${partitions} partitions after 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  // The brokers' own housekeeping behind it.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
}

function manyPartitions(run, _, seconds) {
  const partitions = run.settings.quick ? 100 : 1_000;
  return run.withTopic({ partitions }, async (topic) => {
    await allLed(run, topic, partitions);
    return run.client('krafka', 'many-partitions.mjs', { topic, partitions, seconds });
  });
}

function echo(adapter) {
  return (run) =>
    run.withTopic({ partitions: 1 }, (topic) =>
      run.client(adapter, 'latency.mjs', { ...once, adapter, topic, records: run.size(once.records) }),
    );
}

function rawEcho(name, overlapping) {
  return (run) =>
    run.withTopic({ partitions: 1 }, (topic) =>
      run.client(name, 'latency-raw.mjs', { ...once, topic, overlapping, records: run.size(once.records) }),
    );
}

export const lines = [
  filled(small, {
    name: '100b',
    says: '100 B, a batch handler that touches each value',
    clients: {
      krafka: client('krafka', small),
      ...peers(small, { kafkajs: 0.6, platformatic: 0.3, librdkafka: 0.2 }),
      java: java(small),
      [RAW]: raw(small),
    },
    targets: [timesAtLeast(4, ['kafkajs']), timesAtLeast(1.5, ['java']), timesAtLeast(0.4, [RAW])],
  }),
  filled(large, {
    name: '1k',
    says: '1 KiB, one async handler call a record, commits on',
    clients: {
      krafka: client('krafka', large),
      ...peers(large, { platformatic: 0.5, librdkafka: 0.3 }),
      java: java(large),
      [RAW]: raw(large),
    },
    targets: [
      timesAtLeast(2, ['kafkajs']),
      timesAtLeast(3, ['platformatic', 'librdkafka'], 'recordsPerSecond', 'every other Node peer'),
      timesAtLeast(0.5, [RAW]),
    ],
  }),
  filled(kept, {
    name: 'rss',
    says: 'the most memory over 2,000,000 records of 100 B, one async handler call a record',
    field: 'peakRssMiB',
    clients: {
      krafka: client('krafka', kept),
      'krafka on Node 20': onOldestNode((node) => client('krafka', kept, 1, node)),
      ...peers(kept),
    },
    targets: [alwaysAtMost(180, 'peakRssMiB', 'MiB')],
  }),
  {
    name: 'steady-fetch',
    says: 'the Fetch request on a topic of 1,000 partitions, nothing moving',
    place: 'one',
    field: 'requestBytes',
    rounds: 1,
    clients: { krafka: (run, prepared) => manyPartitions(run, prepared, 5) },
    targets: [alwaysAtMost(60, 'requestBytes', 'bytes')],
    notes: ['Counted where the client writes to its sockets, each request with its length; the largest of 5 s.'],
  },
  ...['lz4', 'zstd'].map((compression) => {
    const load = { ...packed, compression };
    return filled(load, {
      name: compression,
      says: `100 B, ${compression}, a batch handler that touches each value`,
      clients: {
        krafka: client('krafka', load),
        ...peers(load, { librdkafka: 0.1 }),
        java: java(load),
      },
      targets: [timesAtLeast(2, PEERS, 'recordsPerSecond', 'the best peer that reads it')],
    });
  }),
  {
    name: 'latency',
    says: 'end to end, one record of 100 B at a time, from send() to the handler',
    place: 'one',
    field: 'p50',
    clients: {
      krafka: echo('krafka'),
      ...Object.fromEntries(PEERS.map((peer) => [peer, echo(peer)])),
      'raw round trips': rawEcho('raw round trips', true),
      'raw one after the other': rawEcho('raw one after the other', false),
    },
    targets: [timesAtMost(1.2, ['raw round trips'], 'p50')],
    notes: [
      'Raw round trips: a Produce on one socket, and on another the Fetch that waits for it; the second raw row sends the Fetch after the acknowledgement.',
    ],
  },
  {
    name: 'start-up',
    says: 'start-up with 1,000 partitions on 3 brokers: ListOffsets requests to a broker',
    place: 'three',
    field: 'requestsPerBroker',
    rounds: 1,
    clients: { krafka: (run, prepared) => manyPartitions(run, prepared, 1) },
    targets: [alwaysAtMost(1, 'requestsPerBroker', 'request to a broker'), atLeast(3, 'brokersAsked', 'brokers asked')],
    notes: ['Counted where the client writes to its sockets.'],
  },
];
