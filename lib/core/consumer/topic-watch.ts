import type { Cluster } from '../cluster/index.js';
import type { Deadline, Ports, Timer } from '../support/index.js';

export interface TopicWatchOptions {
  readonly cluster: Pick<Cluster, 'look'>;
  readonly pattern: RegExp;
  readonly everyMs: number;
  /** How long one look may take. */
  readonly deadline: () => Deadline;
  readonly ports: Ports;
  /** Other topics match than before. */
  readonly onChange: (topics: readonly string[]) => Promise<void>;
}

/** Which topics a pattern matches, and the eye on those that come and go. Internal topics match nothing. */
export class TopicWatch {
  readonly #options: TopicWatchOptions;
  readonly #pattern: RegExp;
  #matched = '';
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: TopicWatchOptions) {
    this.#options = options;
    // With g or y a pattern would remember where it was.
    this.#pattern = new RegExp(options.pattern.source, options.pattern.flags.replaceAll(/[gy]/g, ''));
  }

  /** The topics that match now, by name; they are looked for again from time to time. */
  async start(): Promise<readonly string[]> {
    this.#timer?.cancel();
    const topics = await this.#look();
    this.#schedule();
    return topics;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<readonly string[]> {
    const { metadata } = await this.#options.cluster.look('all', { deadline: this.#options.deadline() });
    const matching = [...metadata.topics.values()].filter(
      ({ name, isInternal }) => !isInternal && this.#pattern.test(name),
    );
    const names = matching.map(({ name }) => name).toSorted();
    this.#matched = names.join(',');
    return names;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#options.ports.clock.setTimer(this.#options.everyMs, () => void this.#lookAgain(), false);
  }

  /** Never rejects: a look that fails is made again. */
  async #lookAgain(): Promise<void> {
    const before = this.#matched;
    try {
      const topics = await this.#look();
      if (this.#matched !== before && !this.#closed) await this.#options.onChange(topics);
    } catch (error) {
      this.#matched = before;
      this.#options.ports.logger.warn('looking for topics that match went wrong, it is tried again', { error });
    }
    this.#schedule();
  }
}
