// Events through Nest: a topic of JSON payloads read from its beginning by the same application on this transport and on
// Nest's own; the first fifth of them, with joining and cold code, is not counted.
import { Krafka } from '../../dist/core/index.js';
import { timesAtLeast } from '../harness/targets.mjs';

const BUILT_IN = 'built-in';
const EVENTS = 400_000;

function client(transport, load = {}) {
  return (run, topic) =>
    run.client(transport, 'nest/events.mjs', {
      ...load,
      transport,
      topic,
      records: run.size(EVENTS * (load.share ?? 1)),
    });
}

async function fill(run) {
  const topic = await run.topic({ partitions: 6 });
  const krafka = new Krafka({ brokers: run.place.brokers, clientId: 'bench-fill' });
  const producer = krafka.producer({ lingerMs: 50 });
  const batch = Array.from({ length: 1_000 }, (_, index) => ({
    topic,
    key: `order-${index}`,
    value: JSON.stringify({
      id: index,
      sku: 'tea',
      quantity: 1 + (index % 9),
      note: 'as soon as it is there',
      gift: false,
    }),
  }));
  for (let left = run.size(EVENTS) / batch.length; left > 0; left--) await producer.sendAll(batch);
  await krafka.close();
  return topic;
}

function line(name, says, own, targets) {
  return {
    name,
    says,
    place: 'one',
    field: 'recordsPerSecond',
    prepare: fill,
    release: (run, topic) => (topic === undefined ? undefined : run.drop(topic)),
    clients: { krafka: own, [BUILT_IN]: client(BUILT_IN, { share: 0.4 }) },
    targets,
  };
}

export const lines = [
  line(
    'event',
    '@EventPattern, JSON payloads, an async handler call each; committed after the handler',
    client('krafka'),
    [timesAtLeast(2.5, [BUILT_IN], 'recordsPerSecond', "the built-in's")],
  ),
  line('batch', "@BatchPattern, 500 at once, beside the built-in's @EventPattern", client('krafka', { batch: true }), [
    timesAtLeast(7, [BUILT_IN], 'recordsPerSecond', "the built-in's @EventPattern"),
  ]),
];
