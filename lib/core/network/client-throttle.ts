import type { Api, ApiName } from '../protocol/index.js';

/**
 * From which version on it is the client that keeps silent for `throttleTimeMs` (KIP-219). In an older version the
 * broker has held the answer back for that long already. APIs not named here are younger than the rule.
 */
const SINCE: Partial<Record<ApiName, number>> = {
  Produce: 6,
  Fetch: 8,
  ListOffsets: 3,
  Metadata: 6,
  OffsetCommit: 4,
  OffsetFetch: 4,
  FindCoordinator: 2,
  JoinGroup: 3,
  Heartbeat: 2,
  LeaveGroup: 2,
  SyncGroup: 2,
  DescribeGroups: 2,
  ListGroups: 2,
  ApiVersions: 2,
  CreateTopics: 3,
  DeleteTopics: 2,
  DeleteRecords: 1,
  InitProducerId: 1,
  AddPartitionsToTxn: 1,
  AddOffsetsToTxn: 1,
  EndTxn: 1,
  TxnOffsetCommit: 1,
  DescribeAcls: 1,
  CreateAcls: 1,
  DeleteAcls: 1,
  DescribeConfigs: 2,
  CreatePartitions: 1,
  DeleteGroups: 1,
};

/** The longest silence a broker is granted at once, in milliseconds: its number is not to be trusted with a client's life. */
const MAX_THROTTLE_MS = 600_000;

/** For how long an answer asks this client to send nothing on its connection, in milliseconds. */
export function throttleOf(api: Api, version: number, answer: unknown): number {
  const { throttleTimeMs } = answer as { readonly throttleTimeMs?: number };
  if (throttleTimeMs === undefined || throttleTimeMs <= 0 || version < (SINCE[api.name] ?? 0)) return 0;
  return Math.min(MAX_THROTTLE_MS, throttleTimeMs);
}
