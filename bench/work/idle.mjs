// What a client costs that does nothing, at its default fetch wait: milliseconds of CPU a second.
import { atMost } from '../harness/targets.mjs';

const SECONDS = 20;

function client(adapter) {
  return (run) =>
    run.withTopic({}, (topic) =>
      run.client(adapter, 'idle.mjs', { adapter, topic, seconds: run.settings.quick ? 5 : SECONDS }),
    );
}

export const lines = [
  {
    name: 'idle',
    says: 'a producer that has sent once and a subscribed consumer with nothing to read',
    place: 'one',
    field: 'cpuMsPerSecond',
    clients: { krafka: client('krafka'), kafkajs: client('kafkajs') },
    targets: [atMost(1.5, 'cpuMsPerSecond', 'ms of CPU a second')],
    notes: [`Over ${SECONDS} s, once start-up is over.`],
  },
];
