import { systemPorts, type Ports } from '../support/index.js';
import type { Dialer } from './dialer.js';
import { socketDialer } from './socket-dialer.js';

/** Everything of the outside world, sockets included. */
export interface NetworkPorts extends Ports {
  readonly dialer: Dialer;
}

/** The machine's own clock, randomness and sockets, and a logger that says nothing. */
export const systemNetworkPorts: NetworkPorts = { ...systemPorts, dialer: socketDialer };
