import { CreateTopics, FindCoordinator, ListOffsets, ZERO_UUID, errorName } from '../../../lib/core/protocol/index.js';
import { WireClient } from '../../../lib/testing/spec-support/wire-client.js';

/** What is written down of a broker's answers; it must be the same of both brokers. */
export type Transcript = string[];

/** Something that is done to a broker, raw request by raw request. */
export type Scenario = (stage: Stage) => Promise<void>;

/** A broker that a scenario is played on: names of its own, and a transcript in which they are made common. */
export class Stage {
  readonly transcript: Transcript = [];
  readonly #clients: WireClient[] = [];
  readonly #aliases = new Map<string, string>();

  constructor(
    readonly address: string,
    /** Keeps what this run makes apart from what others made. */
    readonly run: string,
  ) {}

  static async play(address: string, scenario: Scenario): Promise<Transcript> {
    const stage = new Stage(address, `${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
    try {
      await scenario(stage);
      return stage.transcript;
    } finally {
      await Promise.all(stage.#clients.map((client) => client.close()));
    }
  }

  name(word: string): string {
    return `parity-${word}-${this.run}`;
  }

  async connect(clientId = 'parity'): Promise<WireClient> {
    const client = await WireClient.connect(this.address, clientId);
    this.#clients.push(client);
    return client;
  }

  /** Writes a line down. Codes become names, what this run alone has becomes the same for all. */
  note(what: string, ...facts: readonly unknown[]): void {
    const line = [what, ...facts.map((fact) => (typeof fact === 'string' ? fact : JSON.stringify(fact)))].join(' ');
    this.transcript.push(
      [...this.#aliases].reduce((text, [own, alias]) => text.replaceAll(own, alias), line).replaceAll(this.run, 'RUN'),
    );
  }

  /** Writes a whole answer down; ids of topics are only said to be there. */
  answer(what: string, answer: object): void {
    const shown = JSON.stringify(answer, (key, value: unknown) => {
      if (typeof value === 'number' && /errorCode$/i.test(key)) return errorName(value);
      if (key === 'topicId') return value === ZERO_UUID || value === '' ? 'none' : 'an id';
      return key === 'clusterId' || key === 'port' ? undefined : value;
    });
    this.note(what, shown);
  }

  error(what: string, code: number | undefined, ...facts: readonly unknown[]): void {
    this.note(what, errorName(code ?? 0), ...facts);
  }

  /** What a value that differs from run to run (a member id, a producer id) is called in the transcript. */
  alias(own: string | number, alias: string): void {
    this.#aliases.set(String(own), alias);
  }

  /** Makes a topic and waits until it can be used; its id. */
  async topic(name: string, partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const client = await this.connect();
    const made = await client.send(CreateTopics, 7, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([config, value]) => ({ name: config, value })),
        },
      ],
    });
    await this.usable(name, partitions);
    // The leaders know of it now; the group coordinator may hear of it a moment later, and can't be asked.
    await new Promise((resolve) => setTimeout(resolve, 300));
    return made.topics[0]?.topicId ?? '';
  }

  /** Waits until every partition of a topic is led by somebody who knows of it. */
  async usable(name: string, partitions: number): Promise<void> {
    const client = await this.connect();
    await settled(async () => {
      const all = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1 }));
      const topics = [{ name, partitions: all }];
      const listed = await client.send(ListOffsets, 7, { replicaId: -1, isolationLevel: 0, topics });
      return listed.topics[0]?.partitions.every(({ errorCode }) => errorCode === 0) === true;
    });
  }

  /** Waits until a group or transactional id has a coordinator that answers. */
  async coordinator(key: string, keyType: 0 | 1): Promise<void> {
    const client = await this.connect();
    await settled(async () => {
      const { coordinators } = await client.send(FindCoordinator, 4, { keyType, coordinatorKeys: [key] });
      return coordinators[0]?.errorCode === 0;
    });
  }
}

/** Asks again until it is so: a cluster takes a moment to tell all of itself what one of it was told. */
export async function settled(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it never was so');
}
