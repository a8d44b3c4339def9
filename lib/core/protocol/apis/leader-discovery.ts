import type { Reader } from '../wire/index.js';

// The tagged fields by which Produce and Fetch responses tell of a new leader (KIP-951): read by hand, as those are.

/** A partition's leader, -1 twice when the response does not tell. */
export interface LeaderIdAndEpoch {
  leaderId: number;
  leaderEpoch: number;
}

/** Where a leader listens. */
export interface NodeEndpoint {
  nodeId: number;
  host: string;
  port: number;
  rack: string | null;
}

/** One for all partitions, as nearly all are: not to be written to. */
export const NO_LEADER: LeaderIdAndEpoch = Object.freeze({ leaderId: -1, leaderEpoch: -1 });

/** Reads a tagged field that has nothing but a leader in it. */
export function readLeaderIdAndEpoch(part: Reader): LeaderIdAndEpoch {
  const leader = { leaderId: part.int32(), leaderEpoch: part.int32() };
  part.skipTags();
  part.expectEnd();
  return leader;
}

/** Reads a tagged field that has nothing but the brokers' addresses in it. */
export function readNodeEndpoints(part: Reader): NodeEndpoint[] {
  const nodes: NodeEndpoint[] = [];
  for (let left = part.length(true, 11); left > 0; left--) {
    nodes.push({ nodeId: part.int32(), host: part.text(true), port: part.int32(), rack: part.string(true) });
    part.skipTags();
  }
  part.expectEnd();
  return nodes;
}
