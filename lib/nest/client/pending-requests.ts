import type { WritePacket } from '@nestjs/microservices';
import { KrafkaTimeoutError, onAbort, type Clock, type Timer } from '../../core/support/index.js';

/** How a request learns of its replies, as Nest's ClientProxy has it. */
export type ReplyCallback = (packet: WritePacket) => void;

interface Pending {
  readonly callback: ReplyCallback;
  readonly timer: Timer | undefined;
  /** Has the caller's signal forget the request. */
  readonly unhear: (() => void) | undefined;
}

/** What a request is given to wait with. */
export interface RequestBounds {
  /** 0 lets it wait for ever. */
  readonly timeoutMs: number;
  /** What the timeout's error says it waited for, asked when it has run out. */
  readonly waitedFor: () => string;
  /** Ends the request with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What replies came to. Counts since the client was made. */
export interface ReplyStats {
  /** Requests that wait for a reply now. */
  readonly pending: number;
  /** Replies that were matched with their request. */
  readonly matched: number;
  /** Replies to requests of this client that nobody waits for any more. */
  readonly late: number;
  /** Replies to other clients, which share a reply partition with this one. */
  readonly foreign: number;
}

/** The requests that wait for replies, each under its correlation id and with its deadline. */
export class PendingRequests {
  readonly #clock: Clock;
  /** What the correlation ids of this client begin with, and no other's do. */
  readonly #prefix: string;
  readonly #pending = new Map<string, Pending>();
  #count = 0;
  #matched = 0;
  #late = 0;
  #foreign = 0;

  constructor(clock: Clock, prefix: string) {
    this.#clock = clock;
    this.#prefix = `${prefix}.`;
  }

  /** Adds a request and answers with its correlation id. @throws the signal's reason, when it is aborted already */
  add(callback: ReplyCallback, { timeoutMs, waitedFor, signal }: RequestBounds): string {
    signal?.throwIfAborted();
    const id = `${this.#prefix}${(this.#count++).toString(36)}`;
    const timer =
      timeoutMs === 0 ? undefined : this.#clock.setTimer(timeoutMs, () => this.#expire(id, timeoutMs, waitedFor));
    this.#pending.set(id, { callback, timer, unhear: signal && onAbort(signal, (reason) => this.fail(id, reason)) });
    return id;
  }

  /** True while somebody waits for replies to it. */
  has(id: string): boolean {
    return this.#pending.has(id);
  }

  /** Forgets a request: its replies will be late. */
  remove(id: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    pending.timer?.cancel();
    pending.unhear?.();
    this.#pending.delete(id);
  }

  /** True when somebody waits for a reply of this correlation id; counts it when nobody does. */
  expects(id: string): boolean {
    if (this.#pending.has(id)) return true;
    if (id.startsWith(this.#prefix)) this.#late += 1;
    else this.#foreign += 1;
    return false;
  }

  /** Hands a reply to its request; the last one ends it. */
  settle(id: string, packet: WritePacket): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      this.expects(id);
      return;
    }
    this.#matched += 1;
    if (packet.isDisposed === true || packet.err !== undefined) this.remove(id);
    pending.callback(packet);
  }

  /** Ends one request with an error, if it still waits. */
  fail(id: string, error: unknown): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.remove(id);
    pending.callback({ err: error, isDisposed: true });
  }

  /** Ends every request that waits now with an error; those that callers make anew when they hear of it are not among them. */
  failAll(error: unknown): void {
    for (const id of [...this.#pending.keys()]) this.fail(id, error);
  }

  stats(): ReplyStats {
    return { pending: this.#pending.size, matched: this.#matched, late: this.#late, foreign: this.#foreign };
  }

  #expire(id: string, timeoutMs: number, waitedFor: () => string): void {
    const error = new KrafkaTimeoutError({ budget: 'requestTimeoutMs', budgetMs: timeoutMs, waitedFor: waitedFor() });
    this.fail(id, error);
  }
}
