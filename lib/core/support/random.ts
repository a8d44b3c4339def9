import { randomBytes } from 'node:crypto';

/** Chance as the core sees it: handed in, so that a simulation is repeatable by its seed. */
export interface Random {
  /** A number in [0, 1): jitter and choices, never secrets. */
  next(): number;
  /** Bytes for nonces and ids. */
  bytes(length: number): Buffer;
}

/** The machine's own randomness. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (length) => randomBytes(length),
};

/** A repeatable sequence from a seed (mulberry32). For tests and simulations: its bytes are no secret. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    bytes: (length) => Buffer.from(Array.from({ length }, () => Math.floor(next() * 256))),
  };
}
