import type { Random } from '../support/index.js';

/** How many brokers that metadata tells of are tried before the bootstrap addresses are. */
export const MOST_KNOWN_TRIED = 4;

export interface BrokerChoice {
  /** Addresses of the brokers that metadata tells of. */
  readonly known: Iterable<string>;
  /** Addresses the client was given. */
  readonly bootstrap: readonly string[];
  /** Requests waiting on a ready connection to the address; undefined when there is no such connection. */
  readonly load: (address: string) => number | undefined;
  /** How often in a row the address has failed. */
  readonly failures: (address: string) => number;
  readonly random: Random;
}

/**
 * The addresses to try, in order, for a request that any broker answers: known brokers with a ready connection, the
 * least loaded first; other known brokers, those that did not fail lately first; then the bootstrap addresses, which
 * is how a client whose whole cluster was replaced finds it again (KIP-899).
 */
export function chooseBrokers({ known, bootstrap, load, failures, random }: BrokerChoice): string[] {
  const loaded = shuffled([...known], random).map((address) => ({
    address,
    load: load(address) ?? Infinity,
    failures: failures(address),
  }));
  loaded.sort((a, b) => compare(a.load, b.load) || a.failures - b.failures);
  const first = loaded.slice(0, MOST_KNOWN_TRIED).map(({ address }) => address);
  const last = shuffled(bootstrap, random).toSorted((a, b) => failures(a) - failures(b));
  return [...new Set([...first, ...last])];
}

// Infinity minus Infinity is no number to sort by.
const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const deck = [...items];
  for (let end = deck.length - 1; end > 0; end--) {
    const pick = Math.floor(random.next() * (end + 1));
    [deck[end], deck[pick]] = [deck[pick] as T, deck[end] as T];
  }
  return deck;
}
