/** What one connection did so far, or, added up, a bundle or a pool. Counts are of requests, sizes bytes. */
export interface ConnectionStats {
  /** High-priority requests written. */
  readonly highPriorityCount: number;
  /** Normal-priority requests written. */
  readonly normalPriorityCount: number;
  /** Of those, the ones that were written at once, without standing in a channel. */
  readonly bypassCount: number;
  /** Answers that came. */
  readonly responseCount: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Written and not yet answered. */
  readonly inFlight: number;
  /** Standing in the two channels. */
  readonly queued: number;
  /** Callers waiting for a place in a full channel. */
  readonly waiting: number;
  /** For how long the broker has asked for silence so far, in milliseconds (KIP-219). */
  readonly throttledMs: number;
}

/** The sum of several connections' stats. */
export function sumStats(stats: Iterable<ConnectionStats>): ConnectionStats {
  const sum = {
    highPriorityCount: 0,
    normalPriorityCount: 0,
    bypassCount: 0,
    responseCount: 0,
    bytesSent: 0,
    bytesReceived: 0,
    inFlight: 0,
    queued: 0,
    waiting: 0,
    throttledMs: 0,
  };
  for (const one of stats) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += one[name];
  }
  return sum;
}
