import { seededRandom, silentLogger, type Ports } from '../../support/index.js';
import { FakeClock } from './fake-clock.js';

/** Ports for a spec: a clock that stands still, repeatable chance, and silence. */
export const fakePorts = (clock = new FakeClock()): Ports & { readonly clock: FakeClock } => ({
  clock,
  random: seededRandom(1),
  logger: silentLogger,
});
