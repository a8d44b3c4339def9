import type { KrafkaError, Deadline } from '../../support/index.js';
import type { GroupState } from '../consumer-events.js';
import type { TopicPartition } from '../topic-partition.js';

/** Who a member is to its coordinator: goes along with every commit. */
export interface MemberIdentity {
  readonly memberId: string;
  /** The generation of a classic group, the member epoch of one by the consumer protocol. */
  readonly generation: number;
  readonly groupInstanceId: string | null;
  /** Changes when the membership is lost: whatever was owned in another one is somebody else's. */
  readonly life: number;
}

/** What a member of a group does with the partitions it is given. Called one at a time, each call awaited. */
export interface PartitionOwner {
  /** What is owned now. */
  readonly owned: readonly TopicPartition[];
  /** Takes partitions. */
  assign(partitions: readonly TopicPartition[]): Promise<void>;
  /**
   * Gives partitions back: handlers end, what they did is committed, at the deadline at the latest. The rebalance listener,
   * which is told of it then, takes its own time.
   */
  revoke(partitions: readonly TopicPartition[], deadline: Deadline): Promise<void>;
  /** Lets go of partitions that are somebody else's already. */
  lose(partitions: readonly TopicPartition[]): Promise<void>;
}

/** What a member tells about itself. */
export interface MemberListener {
  onState(state: GroupState, previous: GroupState): void;
  onRebalance(reason: string): void;
  onFatal(error: KrafkaError): void;
}

/** Membership in a group, by whichever protocol. One loop joins, and it alone; see each implementation. */
export interface GroupMember {
  readonly state: GroupState;
  /** Undefined while this is a member of nothing that a commit could be made for. */
  readonly identity: MemberIdentity | undefined;
  /** Rebalances that were gone through. */
  readonly rebalances: number;
  /** Begins to be a member; does not wait. */
  start(): void;
  /** Subscribes to other topics, in place of a pattern too. */
  subscribe(topics: readonly string[]): void;
  /** The cluster's metadata has changed. */
  metadataChanged(): void;
  /** Heeds the error code of a commit that was made as `identity`. */
  heed(errorCode: number, identity: MemberIdentity): void;
  /**
   * Ends the loop, so that nothing is assigned or revoked any more but by whoever closes; heartbeats go on. Waits for
   * the call to the owner that is under way, until the deadline.
   */
  halt(deadline: Deadline): Promise<void>;
  /** Ends the membership in good order, as far as the deadline allows. What is owned must have been given back. */
  leave(deadline: Deadline): Promise<void>;
}
