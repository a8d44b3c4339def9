import type { ApiName } from '../core/protocol/index.js';

/** One request as it arrived. */
export interface LoggedRequest {
  /** Counts all requests of the broker from 1. */
  readonly sequence: number;
  readonly api: ApiName;
  readonly version: number;
  readonly nodeId: number;
  /** Counts the connections of the broker from 1. */
  readonly connectionId: number;
  readonly clientId: string | null;
}

const KEPT = 10_000;

/** What clients asked for, in order of arrival: the last 10,000 requests, and counts of all of them. */
export class RequestLog {
  readonly #counts = new Map<ApiName, number>();
  #entries: LoggedRequest[] = [];
  #total = 0;

  /** All requests so far. */
  get total(): number {
    return this.#total;
  }

  /** How many requests of one API came so far. */
  count(api: ApiName): number {
    return this.#counts.get(api) ?? 0;
  }

  /** The requests that are still remembered, oldest first; of one API where one is given. */
  list(api?: ApiName): readonly LoggedRequest[] {
    return api === undefined ? [...this.#entries] : this.#entries.filter((entry) => entry.api === api);
  }

  /** Begins anew: counts, list and sequence. */
  clear(): void {
    this.#counts.clear();
    this.#entries = [];
    this.#total = 0;
  }

  /** @internal */
  add(entry: Omit<LoggedRequest, 'sequence'>): void {
    this.#total += 1;
    this.#counts.set(entry.api, (this.#counts.get(entry.api) ?? 0) + 1);
    this.#entries.push({ sequence: this.#total, ...entry });
    // Halved at once, so that the cost of forgetting is spread over as many requests.
    if (this.#entries.length > 2 * KEPT) this.#entries = this.#entries.slice(-KEPT);
  }
}
