import { retrying, type Cluster } from '../cluster/index.js';
import { ERROR_CODES, protocolError } from '../protocol/index.js';
import { KrafkaError, KrafkaTimeoutError, type Deadline, type Ports } from '../support/index.js';
import type { TopicPartition } from './topic-partition.js';

/** Waits for topics and partitions that may be about to exist, and has the metadata of those that are read kept fresh. */
export class TopicsToRead {
  readonly #cluster: Cluster;
  readonly #ports: Ports;
  readonly #ending: AbortSignal;
  #untrack: (() => void) | undefined;

  /** `ending` ends all waiting with its reason. */
  constructor(cluster: Cluster, ports: Ports, ending: AbortSignal) {
    this.#cluster = cluster;
    this.#ports = ports;
    this.#ending = ending;
  }

  /**
   * Waits until the topics exist, and has them kept fresh from then on, in place of those before.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION naming one that was not there in time
   */
  async find(topics: readonly string[], deadline: Deadline): Promise<void> {
    await Promise.all(topics.map((topic) => this.#cluster.topic(topic, deadline, this.#ending)));
    const before = this.#untrack;
    this.#untrack = this.#cluster.track(topics);
    before?.();
  }

  /**
   * Waits until topics that exist have the partitions, too: they may just be growing.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION naming one that was not there in time
   */
  async findPartitions(partitions: readonly TopicPartition[], deadline: Deadline): Promise<void> {
    const cluster = this.#cluster;
    const missing = (): TopicPartition | undefined =>
      partitions.find(
        ({ topic, partition }) => cluster.metadata.topics.get(topic)?.partitions[partition] === undefined,
      );
    try {
      await retrying({ deadline, ports: this.#ports, signal: this.#ending }, async (attempt) => {
        if (attempt > 1) await cluster.refresh(topicsOf(partitions));
        const place = missing();
        if (place !== undefined) throw protocolError(ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, place);
      });
    } catch (error) {
      throw error instanceof KrafkaTimeoutError && error.cause instanceof KrafkaError ? error.cause : error;
    }
  }

  close(): void {
    this.#untrack?.();
  }
}

/** The topics that partitions are of. */
export const topicsOf = (partitions: readonly TopicPartition[]): string[] => [
  ...new Set(partitions.map(({ topic }) => topic)),
];
