import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lastJson, run } from './processes.mjs';

let topicsMade = 0;

/** What a line's clients are measured with: the cluster, sizes, topics, and processes of their own. */
export class LineRun {
  /** @param parts { place, line, settings, krafka (a client of the place's cluster), bench (folder), node (binary) } */
  constructor(parts) {
    this.place = parts.place;
    this.krafka = parts.krafka;
    this.settings = parts.settings;
    this.node = parts.node;
    this.bench = parts.bench;
    this.line = parts.line;
    this.profiles = [];
  }

  /** A number of records, less of them in a quick run. */
  size(records) {
    return Math.max(1, Math.round(records * (this.settings.quick ? 0.1 : 1)));
  }

  /** A fresh topic for as long as `use` takes. */
  async withTopic({ partitions = 6 }, use) {
    const topic = await this.topic({ partitions });
    try {
      return await use(topic);
    } finally {
      await this.drop(topic);
    }
  }

  async topic({ partitions = 6, replicationFactor, name }) {
    const topic = name ?? `bench-${this.settings.work}-${process.pid}-${topicsMade++}`;
    await this.krafka.admin().createTopics([{ name: topic, partitions, replicationFactor }]);
    return topic;
  }

  async drop(...topics) {
    await this.krafka
      .admin()
      .deleteTopics(topics)
      .catch((error) => console.error(`  (topics left behind: ${error.message})`));
  }

  /** One of bench/clients in a process of its own, with further `flags` of Node's, or on another `node`: its result. */
  async client(name, file, load, { timeoutMs, env, flags = [], node = this.node } = {}) {
    const args = ['--expose-gc', ...flags];
    const profiling = {};
    if (this.settings.profile && name.startsWith('krafka')) {
      const folder = join(this.bench, 'results', 'profiles');
      const profile = `${this.settings.work}-${this.line}-${name.replaceAll(/\W+/g, '-')}.cpuprofile`;
      mkdirSync(folder, { recursive: true });
      // The server of an rpc line writes one of its own.
      this.profiles.push(join(folder, profile), join(folder, profile.replace('.cpuprofile', '-server.cpuprofile')));
      profiling.BENCH_PROFILE = join(folder, profile);
    }
    const out = await run(node, [...args, join(this.bench, 'clients', file), name, JSON.stringify(load)], {
      timeoutMs,
      env: { BENCH_BROKERS: this.place.brokers, KAFKAJS_NO_PARTITIONER_WARNING: '1', ...profiling, ...env },
    });
    return lastJson(out);
  }

  /** One of Kafka's own tools: what it printed. */
  java(tool, args) {
    return run('java', ['-Xmx512m', '-cp', `${this.place.jars}/*`, `org.apache.kafka.tools.${tool}`, ...args]);
  }
}
