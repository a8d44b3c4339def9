import { systemClock, type Clock } from './clock.js';
import { silentLogger, type Logger } from './logger.js';
import { systemRandom, type Random } from './random.js';

/** Everything of the outside world, sockets apart, that the core is handed from the top. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The machine's own clock and randomness, and a logger that says nothing. */
export const systemPorts: Ports = { clock: systemClock, random: systemRandom, logger: silentLogger };
