import { API_KEYS, type Api } from '../protocol/index.js';

/** The two channels of a connection. High leaves first, always. */
export const RequestPriority = { High: 'high', Normal: 'normal' } as const;

/** Which of the two channels of a connection a request takes. */
export type RequestPriority = (typeof RequestPriority)[keyof typeof RequestPriority];

/**
 * What must never stand behind data: the heartbeats of every group kind, which keep a member in its group, and the
 * lookups that everything else waits for.
 */
const HIGH: ReadonlySet<number> = new Set([
  API_KEYS.Heartbeat,
  API_KEYS.ConsumerGroupHeartbeat,
  API_KEYS.ShareGroupHeartbeat,
  API_KEYS.StreamsGroupHeartbeat,
  API_KEYS.Metadata,
  API_KEYS.FindCoordinator,
  API_KEYS.ApiVersions,
  API_KEYS.LeaderAndIsr,
]);

/** The priority a request has when its caller names none. */
export function priorityOf(api: Api): RequestPriority {
  return HIGH.has(api.key) ? RequestPriority.High : RequestPriority.Normal;
}
