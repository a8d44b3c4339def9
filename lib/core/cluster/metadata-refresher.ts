import { Deferred } from '../support/index.js';
import type { MetadataUpdate } from './metadata-update.js';

export interface MetadataRefresherOptions {
  /** Asks the cluster of these topics, and of its brokers, and takes the answer over. */
  readonly request: (topics: readonly string[]) => Promise<MetadataUpdate>;
}

interface Round {
  readonly topics: Set<string>;
  readonly answer: Deferred<MetadataUpdate>;
}

/**
 * Has at most one Metadata request under way. Whoever wants topics it asks of shares its answer; all others are
 * gathered for the next one, which leaves as soon as it is back.
 */
export class MetadataRefresher {
  readonly #options: MetadataRefresherOptions;
  #underWay: Round | undefined;
  #next: Round | undefined;

  constructor(options: MetadataRefresherOptions) {
    this.#options = options;
  }

  /** News of these topics, and of the brokers; one try, of every broker there is to ask. */
  fetch(topics: readonly string[]): Promise<MetadataUpdate> {
    const current = this.#underWay;
    if (current !== undefined && topics.every((topic) => current.topics.has(topic))) return current.answer.promise;
    const joined = this.#next;
    const round = joined ?? { topics: new Set<string>(), answer: new Deferred<MetadataUpdate>() };
    for (const topic of topics) round.topics.add(topic);
    if (joined === undefined) {
      this.#next = round;
      // Whatever else this turn asks for goes with it.
      if (current === undefined) void Promise.resolve().then(() => this.#start());
    }
    return round.answer.promise;
  }

  #start(): void {
    const round = this.#next;
    if (round === undefined || this.#underWay !== undefined) return;
    this.#next = undefined;
    this.#underWay = round;
    this.#options.request([...round.topics]).then(
      (update) => this.#end(() => round.answer.resolve(update)),
      (error: unknown) => this.#end(() => round.answer.reject(error)),
    );
  }

  #end(settle: () => void): void {
    this.#underWay = undefined;
    settle();
    this.#start();
  }
}
