import { startKafka } from '../../scripts/kafka/cluster.mjs';
import { warmBrokers } from './warm-brokers.mjs';

const CLUSTERS = {
  one: { nodes: 1 },
  owned: { nodes: 1 },
  three: { nodes: 3 },
  // Kafka's own default, which the tests' clusters set to 0.
  'joins-wait': { nodes: 1, properties: { 'group.initial.rebalance.delay.ms': 3_000 } },
};

/**
 * Where lines are measured: `one` is KAFKA_BROKERS or a node of our own, `owned` a node of our own in any case (it may be
 * stopped), `three` a cluster of three, `joins-wait` a node whose groups wait 3 s for further members before they begin. Started when a line first needs it, stopped when no later line does.
 */
export class Places {
  #started = new Map();
  #warmMs;

  /** @param warmMs how long a fresh cluster is put to work before anything is measured */
  constructor(warmMs) {
    this.#warmMs = warmMs;
  }

  async open(name) {
    const given = process.env.KAFKA_BROKERS;
    if (name === 'one' && given !== undefined) {
      return { brokers: given, jars: process.env.KAFKA_JARS, version: 'given', kafka: undefined };
    }
    const key = name === 'owned' ? (given === undefined ? 'one' : 'owned') : name;
    let kafka = this.#started.get(key);
    if (kafka === undefined) {
      console.log(`\nstarting Kafka: ${CLUSTERS[name].nodes} node(s)`);
      kafka = await startKafka(CLUSTERS[name]);
      this.#started.set(key, kafka);
      await warmBrokers(kafka.bootstrap, this.#warmMs);
    }
    return { brokers: kafka.bootstrap, jars: kafka.jars, version: kafka.version, kafka };
  }

  /** Stops what none of these places needs: an idle node takes its share of the machine. */
  async keepOnly(names) {
    const needed = new Set(names.map((name) => (name === 'owned' && !process.env.KAFKA_BROKERS ? 'one' : name)));
    for (const [name, kafka] of this.#started) {
      if (needed.has(name)) continue;
      this.#started.delete(name);
      await kafka.stop();
    }
  }

  close() {
    return this.keepOnly([]);
  }
}
