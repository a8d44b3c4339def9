// Producing: 100 B unless said, acks=all, 6 partitions; only acknowledged records count.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valuesOf } from '../clients/values.mjs';
import { onOldestNode } from '../harness/oldest-node.mjs';
import { atLeast, atMost, timesAtLeast, timesAtMost } from '../harness/targets.mjs';

const JS_PEERS = ['kafkajs', 'platformatic'];
const PEERS = [...JS_PEERS, 'librdkafka'];
const LINGERS = { one: { '1 ms': 1, '5 ms': 5 }, three: { '5 ms': 5, '20 ms': 20 } };
// Under replication a round trip takes several milliseconds, and a fuller request spares the brokers one.
const OWN_LINGERS = { '0 ms': 0, '3 ms': 3 };
const MIB = 2 ** 20;
const RAW = 'raw replay';

/** A client of ours or a peer, on a topic of its own. A slow one is given a share of the records: its rate is the same. */
function client(adapter, load, share = 1) {
  return (run, _, setting, part = 1) =>
    run.withTopic({ partitions: load.partitions }, (topic) => {
      const records = run.size(load.records * share * part);
      return run.client(adapter, 'produce.mjs', { ...load, ...setting, adapter, topic, records });
    });
}

/** A client at its best linger, which is found first. */
function atBestLinger(adapter, load, lingers, share) {
  const measure = (run, prepared, lingerMs, part) => client(adapter, load, share)(run, prepared, { lingerMs }, part);
  return { settings: lingers, measure };
}

function peers(load, { lingers = LINGERS.one, slow = 1, share = {} } = {}) {
  return {
    kafkajs: client('kafkajs', load, share.kafkajs ?? slow),
    platformatic: client('platformatic', load, share.platformatic ?? slow),
    librdkafka: atBestLinger('librdkafka', load, lingers, share.librdkafka ?? 1),
  };
}

/** Requests that were encoded beforehand; `load.inFlight` of them on a socket. */
function raw(load, file = 'produce-raw.mjs') {
  return (run, _, setting, part = 1) =>
    run.withTopic({ partitions: load.partitions }, (topic) =>
      run.client(RAW, file, {
        inFlight: load.outstanding,
        ...load,
        ...setting,
        topic,
        records: run.size(load.records * part),
      }),
    );
}

/** The same at the better of several settings. */
function rawAtBest(load, settings) {
  return { settings, measure: (run, prepared, setting, part) => raw(load)(run, prepared, setting, part) };
}

/** Kafka's own ProducerPerformance with the same values; batches as the Java producer forms them. */
function java({ records, bytes, compression }) {
  return (run) => {
    if (run.place.jars === undefined) return { absent: 'KAFKA_JARS is not set' };
    return run.withTopic({}, async (topic) => {
      const folder = mkdtempSync(join(tmpdir(), 'krafka-bench-'));
      const payload = join(folder, 'values.txt');
      writeFileSync(payload, valuesOf(bytes).join('\n'));
      try {
        const out = await run.java('ProducerPerformance', [
          ...['--topic', topic, '--num-records', run.size(records), '--payload-file', payload, '--throughput', '-1'],
          ...['--producer-props', `bootstrap.servers=${run.place.brokers}`, 'acks=all', 'linger.ms=5'],
          ...['batch.size=65536', 'enable.idempotence=false', `compression.type=${compression}`],
        ]);
        const rate = /([\d.]+) records\/sec/.exec(out.trim().split('\n').at(-1));
        if (rate === null) throw new Error(`ProducerPerformance said: ${out.slice(-300)}`);
        return { recordsPerSecond: Math.round(Number(rate[1])) };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  };
}

const plain = { bytes: 100, idempotent: false, compression: 'none' };
const single = { ...plain, shape: 'single', records: 600_000, outstanding: 1_000 };
const batch = { ...plain, shape: 'batch', batch: 1_000, records: 2_000_000, outstanding: 5 };
const batch1k = { ...batch, bytes: 1_024, records: 300_000 };
const awaited = { ...plain, shape: 'awaited', records: 5_000, outstanding: 1, lingerMs: 0 };
const compressed = { ...batch, records: 1_000_000 };
const threeSingle = { ...single, records: 400_000 };
// A thousand records outstanding at six partitions: at once, or in five parts.
const WAVES = { 'one in flight': { inFlight: 1, perBatch: 167 }, 'five in flight': { inFlight: 5, perBatch: 33 } };
const threeBatch = { ...batch, records: 500_000 };
// Many partitions, each with a few records a batch: what waits for replication is the number of requests.
const bundles = { ...single, records: 200_000, partitions: 96, outstanding: 2_000, batchSize: 1_024 };
// More is ready for a broker than one request takes.
const smallRequests = { ...bundles, records: 60_000, maxRequestSize: 4_096 };
const requests = { ...bundles, batchBytes: 1_024, inFlight: 5 };

export const lines = [
  {
    name: 'single',
    says: '1,000 single sends outstanding, each awaited by its own caller',
    place: 'one',
    field: 'recordsPerSecond',
    clients: {
      krafka: client('krafka', single),
      ...peers(single, { slow: 0.05, share: { librdkafka: 0.5 } }),
      [RAW]: raw(single),
    },
    targets: [
      timesAtLeast(5, ['librdkafka']),
      timesAtLeast(30, ['kafkajs']),
      atLeast(630_000, 'recordsPerSecond', 'records/s'),
    ],
    ceiling: RAW,
  },
  {
    name: 'single-idempotent',
    says: 'the same, idempotent',
    place: 'one',
    field: 'recordsPerSecond',
    clients: {
      krafka: client('krafka', { ...single, idempotent: true }),
      'krafka not idempotent': client('krafka', single),
      ...peers({ ...single, idempotent: true }, { slow: 0.02, share: { librdkafka: 0.3 } }),
    },
    targets: [timesAtLeast(0.9, ['krafka not idempotent'])],
  },
  {
    name: 'batch',
    says: 'batches of 1,000 (sendAll), five outstanding',
    place: 'one',
    field: 'recordsPerSecond',
    clients: {
      krafka: client('krafka', batch),
      ...peers(batch, { slow: 0.25, share: { librdkafka: 0.25 } }),
      java: java(batch),
      [RAW]: raw({ ...batch, records: 6_000_000 }),
    },
    targets: [
      timesAtLeast(4, JS_PEERS, 'recordsPerSecond', 'the best JavaScript peer'),
      timesAtLeast(2, ['java']),
      atMost(0.6, 'cpuUsPerRecord', 'us of CPU a record'),
    ],
    ceiling: RAW,
  },
  {
    name: 'batch-1k',
    says: 'batches of 1,000 records of 1 KiB, five outstanding',
    place: 'one',
    field: 'recordsPerSecond',
    clients: {
      krafka: client('krafka', batch1k),
      ...peers(batch1k, { slow: 0.5, share: { librdkafka: 0.5 } }),
      java: java(batch1k),
      [RAW]: raw(batch1k),
    },
    targets: [timesAtLeast(2.5, JS_PEERS, 'recordsPerSecond', 'the best JavaScript peer')],
    ceiling: RAW,
  },
  {
    name: 'awaited',
    says: 'one awaited send after another, lingerMs 0',
    place: 'one',
    field: 'p50',
    clients: {
      krafka: client('krafka', awaited),
      kafkajs: client('kafkajs', awaited),
      platformatic: client('platformatic', awaited),
      librdkafka: client('librdkafka', awaited),
      [RAW]: raw({ ...awaited, perBatch: 1 }),
    },
    targets: [
      timesAtMost(0.9, JS_PEERS, 'p50', 'the best JavaScript peer'),
      timesAtMost(0.5, JS_PEERS, 'p99', 'the best JavaScript peer'),
    ],
    ceiling: RAW,
  },
  ...['lz4', 'zstd'].map((codec) => ({
    name: codec,
    says: `batches of 1,000, ${codec}, five outstanding`,
    place: 'one',
    field: 'recordsPerSecond',
    clients: {
      krafka: client('krafka', { ...compressed, compression: codec }),
      ...peers({ ...compressed, compression: codec }, { slow: 0.3, share: { librdkafka: 0.3 } }),
      java: java({ ...compressed, compression: codec }),
    },
    targets: [timesAtLeast(2, PEERS, 'recordsPerSecond', 'the best peer that has the codec')],
  })),
  {
    name: 'memory',
    says: '10 M records offered to a broker that stands still for 30 s',
    place: 'owned',
    field: 'growthMiB',
    rounds: 1,
    clients: {
      krafka: stalled(),
      'krafka on Node 20': onOldestNode((node) => stalled({ node })),
      'krafka semi-space 16 MiB': stalled({ flags: ['--max-semi-space-size=16'] }),
      'refused promises alone': stalled({ refusing: true }),
    },
    targets: [atMost(32 + 64, 'growthMiB', 'MiB (bufferMemory + 64)')],
    notes: [
      'Every record is settled in the end: acknowledged once the broker goes on, or refused because the buffer is full. The growth is counted from a producer that is warm and whose buffer is nearly empty. Kept is what is in use after a full garbage collection at the end of the 30 s, beyond what was before: records in the buffer, with whoever awaits them, and the first sends that wait for room. The rest of the growth is the young generation of the heap, which Node 24 lets grow to two halves of 64 MiB; in the third row these are bounded to 16, as they are by default in Node 20. In the last row nothing is offered to the producer: as many promises are refused without it.',
    ],
  },
  {
    name: 'three-single',
    says: 'three nodes, replication factor 3, min.isr 2: 1,000 single sends outstanding',
    place: 'three',
    field: 'recordsPerSecond',
    clients: {
      krafka: atBestLinger('krafka', threeSingle, OWN_LINGERS),
      ...peers(threeSingle, { lingers: LINGERS.three, slow: 0.01, share: { librdkafka: 0.2 } }),
      [RAW]: rawAtBest({ ...threeSingle, wave: true }, WAVES),
      'raw callers mixed': raw(threeSingle, 'produce-raw-callers.mjs'),
    },
    targets: [timesAtLeast(8, ['librdkafka']), timesAtLeast(100, ['kafkajs'])],
    ceiling: RAW,
    notes: [
      'Raw replay: a third of the thousand records to each leader in one request, the next one once it is answered. Raw callers mixed: each caller whose record was acknowledged sends the next to another partition, as those of the clients do, so a leader does not get back what it has answered.',
    ],
  },
  {
    name: 'three-batch',
    says: 'the same cluster: batches of 1,000, five outstanding',
    place: 'three',
    field: 'recordsPerSecond',
    clients: {
      krafka: client('krafka', threeBatch),
      ...peers(threeBatch, { lingers: LINGERS.three, slow: 0.4, share: { librdkafka: 0.4 } }),
    },
    targets: [timesAtLeast(3, JS_PEERS, 'recordsPerSecond', 'the best JavaScript peer')],
  },
  {
    name: 'bundles',
    says: 'the same cluster: connectionsPerBroker 4 against 1, 96 partitions, batches of 1 KiB at most',
    place: 'three',
    field: 'recordsPerSecond',
    clients: {
      krafka: client('krafka', { ...bundles, connectionsPerBroker: 4 }),
      'krafka 1 connection': client('krafka', { ...bundles, connectionsPerBroker: 1 }),
      'krafka 2 connections': client('krafka', { ...bundles, connectionsPerBroker: 2 }),
      ...Object.fromEntries(
        [1, 4].map((connections) => [
          `krafka small requests ${connections}`,
          client('krafka', { ...smallRequests, connectionsPerBroker: connections }),
        ]),
      ),
      ...Object.fromEntries(
        [1, 2, 4].flatMap((sockets) => [
          [`raw batches ${sockets} sockets`, raw({ ...requests, records: 30_000, sockets })],
          [`raw waves ${sockets} sockets`, raw({ ...requests, sockets, wave: true })],
        ]),
      ),
    },
    targets: [timesAtLeast(2, ['krafka 1 connection'])],
    notes: [
      'The row called krafka has 4 connections to each broker. In the rows of small requests, with 1 and with 4 connections, maxRequestSize is 4 KiB, so that a request carries a few of the batches that are ready. The raw rows have so many sockets to each, five requests in flight on each socket: with one batch of 1 KiB a request, and with one such batch of every partition of the socket.',
    ],
  },
];

function stalled({ flags, node, refusing = false } = {}) {
  return (run) =>
    run.withTopic({}, (topic) => {
      const load = {
        topic,
        bytes: 100,
        records: run.size(10_000_000),
        seconds: run.settings.quick ? 5 : 30,
        brokerPid: run.place.kafka.pidOf(run.place.kafka.nodeIds[0]),
        bufferMemory: 32 * MIB,
        refusing,
      };
      return run.client('krafka', 'stalled.mjs', load, { flags, node });
    });
}
