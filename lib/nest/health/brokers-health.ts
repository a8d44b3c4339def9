import type { Krafka } from '../../core/index.js';
import type { AddressHealth, ConnectionPool } from '../../core/network/index.js';
import { Deadline, systemClock } from '../../core/support/index.js';

/** The data connections of a client. */
export interface BrokersHealth {
  readonly facts: {
    /** Connections that work, of all bundles. */
    readonly usable: number;
    /** Connections that are wanted. */
    readonly total: number;
    readonly brokers: Readonly<Record<string, AddressHealth>>;
  };
  /** Why none could be opened, when that was tried. */
  readonly problem: string | undefined;
}

/**
 * Counts the usable connections. A client that has none, because it is new or was idle long enough for them to be closed,
 * opens one first: that it has none says nothing of the brokers.
 */
export async function lookAtBrokers(krafka: Krafka, timeoutMs: number): Promise<BrokersHealth> {
  const first = factsOf(krafka);
  if (first.usable > 0) return { facts: first, problem: undefined };
  try {
    await krafka.cluster.anyConnection({
      deadline: new Deadline(systemClock, timeoutMs, 'timeoutMs of the health check'),
    });
  } catch (error) {
    return { facts: factsOf(krafka), problem: error instanceof Error ? error.message : String(error) };
  }
  return { facts: factsOf(krafka), problem: undefined };
}

/** The bundle alone where there is one: a consumer's own connections to the broker come and go with the consumer. */
function bundleHealth(pool: ConnectionPool, address: string): AddressHealth | undefined {
  const bundle = pool.bundle(address);
  if (bundle === undefined || bundle.wantedCount === 0) return undefined;
  return { usable: bundle.usableCount, total: bundle.wantedCount };
}

function factsOf(krafka: Krafka): BrokersHealth['facts'] {
  const brokers = Object.fromEntries(
    Array.from(krafka.pool.health(), ([address, all]) => [address, bundleHealth(krafka.pool, address) ?? all]),
  );
  const all = Object.values(brokers);
  return {
    usable: all.reduce((sum, { usable }) => sum + usable, 0),
    total: all.reduce((sum, { total }) => sum + total, 0),
    brokers,
  };
}
