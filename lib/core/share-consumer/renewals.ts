import { Deferred, type KrafkaError } from '../support/index.js';
import { outcomeFor, type Outcomes } from './acknowledgement-outbox.js';
import type { Custody } from './custody.js';
import { PendingAcknowledgements, type Parcel } from './pending-acknowledgements.js';

interface Renewal {
  readonly deferred: Deferred<void>;
  sent: boolean;
}

/**
 * Locks of one leader's records that are to be renewed (KIP-1222). They travel by themselves: no fetch may take them
 * along, and a group that must not renew is to refuse nothing else with them.
 */
export class Renewals {
  readonly #renewals = new Map<Custody, Renewal>();

  /** Whether one waits to be sent. */
  get isWaiting(): boolean {
    for (const { sent } of this.#renewals.values()) if (!sent) return true;
    return false;
  }

  /** Resolves when the lock is renewed; those who ask while it is being renewed wait for the same. */
  add(custody: Custody): Promise<void> {
    let renewal = this.#renewals.get(custody);
    if (renewal === undefined) {
      renewal = { deferred: new Deferred(), sent: false };
      renewal.deferred.promise.catch(() => undefined);
      this.#renewals.set(custody, renewal);
    }
    return renewal.deferred.promise;
  }

  /** The record has its verdict: a renewal that was not sent yet is not needed any more. */
  drop(custody: Custody): void {
    const renewal = this.#renewals.get(custody);
    if (renewal?.sent !== false) return;
    this.#renewals.delete(custody);
    renewal.deferred.resolve();
  }

  /** Takes all that wait, for the request about to be sent. */
  take(): readonly Parcel[] {
    const taken = new PendingAcknowledgements();
    for (const [custody, renewal] of this.#renewals) {
      if (renewal.sent) continue;
      renewal.sent = true;
      taken.add(custody.partition, custody.offset, custody.offset, 'renew');
    }
    return taken.take();
  }

  /** The request was answered: the locks that were renewed. */
  settle(outcomes: Outcomes): readonly Custody[] {
    const renewed: Custody[] = [];
    for (const [custody, { deferred, sent }] of this.#renewals) {
      if (!sent) continue;
      this.#renewals.delete(custody);
      const error = outcomeFor(outcomes, custody.partition, 'ShareAcknowledge');
      if (error !== undefined) {
        deferred.reject(error);
        continue;
      }
      renewed.push(custody);
      deferred.resolve();
    }
    return renewed;
  }

  failAll(error: KrafkaError): void {
    for (const { deferred } of this.#renewals.values()) deferred.reject(error);
    this.#renewals.clear();
  }
}
