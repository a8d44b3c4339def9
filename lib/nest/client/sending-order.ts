import { Deferred } from '../../core/support/index.js';

/**
 * Hands records to the producer in the order in which they were given, though what makes bytes of some of them takes its
 * time. Owned by whoever sends; the order of one says nothing of another's.
 */
export class SendingOrder {
  /** Resolves when all that were given so far are handed over, or never will be; undefined while none waits. */
  #turn: Promise<void> | undefined;

  /** True while nothing waits: what is bytes already may be handed over at once, without a turn. */
  get isFree(): boolean {
    return this.#turn === undefined;
  }

  /** Resolves when all that were given until now are handed over, or never will be. */
  async handedOver(): Promise<void> {
    await this.#turn;
  }

  /** Calls `hand` with what the encoding became, after all that were given before; its answer is not waited for by others. */
  async inTurn<Encoded, Outcome>(
    encoding: Encoded | Promise<Encoded>,
    hand: (encoded: Encoded) => Promise<Outcome>,
  ): Promise<Outcome> {
    const before = this.#turn;
    const { promise, resolve } = new Deferred<void>();
    this.#turn = promise;
    const [encoded] = await Promise.allSettled([encoding, before]);
    // Handed over in this very turn: it is the handing that has an order, and each further await would let others pass.
    const outcome = encoded.status === 'fulfilled' ? hand(encoded.value) : Promise.reject<Outcome>(encoded.reason);
    if (this.#turn === promise) this.#turn = undefined;
    resolve();
    return outcome;
  }
}

/**
 * What each of them is encoded to; a promise of all of it as soon as one is one.
 *
 * @throws what `encode` throws
 */
export function encodeAll<Given, Encoded>(
  all: readonly Given[],
  encode: (one: Given) => Encoded | Promise<Encoded>,
): Encoded[] | Promise<Encoded[]> {
  const encodings: (Encoded | Promise<Encoded>)[] = [];
  try {
    for (const one of all) encodings.push(encode(one));
  } catch (error) {
    // Nobody will ask what became of those before it.
    void Promise.allSettled(encodings);
    throw error;
  }
  return encodings.some((encoding) => encoding instanceof Promise) ? Promise.all(encodings) : (encodings as Encoded[]);
}
