/**
 * How long giving partitions back may take, in milliseconds. The coordinator counts `rebalanceTimeoutMs` from when it
 * began the rebalance, and wants to have heard of its end by then: a heartbeat's time is left for that, where half of
 * the whole is no less.
 */
export function revocationMs(rebalanceTimeoutMs: number, heartbeatIntervalMs: number): number {
  return Math.max(rebalanceTimeoutMs / 2, rebalanceTimeoutMs - heartbeatIntervalMs);
}
