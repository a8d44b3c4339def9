import type { Dialer } from './dialer.js';

/** The machine's own sockets. */
export const socketDialer: Dialer = {
  dial: () => Promise.reject(new Error('not built yet')),
};
