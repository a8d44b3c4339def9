import type { Api } from '../protocol/index.js';
import { KrafkaTimeoutError, onAbort, type Deadline, type KrafkaError } from '../support/index.js';
import type { QueueEntry } from './request-queue.js';
import type { RequestPriority } from './request-priority.js';
import type { SendOptions } from './send-options.js';

/** Who is told that the caller of a request has lost interest in it. */
export interface RequestOwner {
  onAbort(request: PendingRequest): void;
}

/**
 * One request from its asking to its settlement: waiting in a channel, then in flight. Once settled it stays so; one
 * that was given up in flight keeps its place in the order of answers.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export class PendingRequest implements QueueEntry {
  readonly api: Api;
  readonly version: number;
  readonly request: unknown;
  readonly priority: RequestPriority;
  readonly promise: Promise<unknown>;
  readonly awaitResponse: boolean;
  readonly timeoutMs: number;
  readonly deadline: Deadline | undefined;
  previous: QueueEntry | undefined = undefined;
  next: QueueEntry | undefined = undefined;
  correlationId = -1;
  /** When, on the monotonic clock, it has waited long enough: to be written, or to be answered. */
  expiresAt = Infinity;
  /** When, once it is in flight, its caller's own deadline passes. */
  deadlineAt = Infinity;
  /** True for what opens and renews a connection: it passes by the channels. */
  isExchange = false;
  state: 'waiting' | 'in flight' | 'settled' = 'waiting';
  readonly #budget: string;
  readonly #signal: AbortSignal | undefined;
  readonly #stopHearing: (() => void) | undefined;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;

  constructor(
    api: Api,
    version: number,
    request: unknown,
    priority: RequestPriority,
    options: SendOptions | undefined,
    requestTimeoutMs: number,
    owner: RequestOwner,
  ) {
    this.api = api;
    this.version = version;
    this.request = request;
    this.priority = priority;
    this.awaitResponse = options?.awaitResponse ?? true;
    this.timeoutMs = options?.timeoutMs ?? requestTimeoutMs;
    this.deadline = options?.deadline;
    this.#budget = options?.timeoutMs === undefined ? 'requestTimeoutMs' : 'timeoutMs';
    this.#signal = options?.signal;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#stopHearing = this.#signal && onAbort(this.#signal, () => owner.onAbort(this));
  }

  /** True when its caller has given it up, or its time is over, before it began. */
  refusal(): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    if (this.deadline?.expired) return this.deadline.error(`${this.api.name} to be sent`);
    return undefined;
  }

  /** Gives the caller its answer. */
  resolve(value: unknown): void {
    if (this.#settle()) this.#resolve(value);
  }

  /** Gives the caller an error. */
  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  /** Rejects with the reason of the caller's signal. */
  abort(): void {
    this.reject(this.#signal?.reason);
  }

  /** The error of having waited in vain for `waitedFor`. */
  timeout(waitedFor: string): KrafkaError {
    return new KrafkaTimeoutError({ budget: this.#budget, budgetMs: this.timeoutMs, waitedFor });
  }

  #settle(): boolean {
    if (this.state === 'settled') return false;
    this.state = 'settled';
    this.#stopHearing?.();
    return true;
  }
}
