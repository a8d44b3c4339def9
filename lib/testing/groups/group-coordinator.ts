import type { ErrorName } from '../../core/protocol/index.js';
import type { Clock } from '../../core/support/index.js';
import type { Cluster } from '../cluster/cluster.js';
import { ClassicGroup } from './classic-group.js';
import type { ClassicGroupTimes } from './classic-rebalance.js';
import { ConsumerGroup, type ConsumerGroupTimes } from './consumer-group.js';
import { CommittedOffsets } from './committed-offsets.js';

/** What the broker's configuration says of groups. */
export interface GroupSettings extends ClassicGroupTimes, ConsumerGroupTimes {
  /** Kafka's group.min.session.timeout.ms. */
  readonly minSessionTimeoutMs: number;
  /** Kafka's group.max.session.timeout.ms. */
  readonly maxSessionTimeoutMs: number;
}

/** Kafka's offset.metadata.max.bytes. */
export const MAX_OFFSET_METADATA_BYTES = 4096;

/** A group of either protocol. */
export type Group = ClassicGroup | ConsumerGroup;

/** All groups and their offsets. Which node answers for a group is the placement's affair. */
export class GroupCoordinator {
  readonly settings: GroupSettings;
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #groups = new Map<string, Group>();
  readonly #offsets = new Map<string, CommittedOffsets>();

  constructor(settings: GroupSettings, cluster: Cluster, clock: Clock) {
    this.settings = settings;
    this.#cluster = cluster;
    this.#clock = clock;
  }

  get all(): readonly Group[] {
    return [...this.#groups.values()];
  }

  find(groupId: string): Group | undefined {
    return this.#groups.get(groupId);
  }

  /** The group, as one of the classic protocol; made, where it may be: an empty group changes its protocol. */
  classicGroup(groupId: string, mayCreate: boolean): ClassicGroup | undefined {
    const group = this.#groups.get(groupId);
    if (group?.kind === 'classic') return group;
    if (!mayCreate || group?.isEmpty === false) return undefined;
    group?.close();
    const made = new ClassicGroup(groupId, this.#clock, this.settings, () => uuidOf(this.#cluster.newUuid()));
    this.#groups.set(groupId, made);
    return made;
  }

  /** The group, as one of the new protocol; made, where it may be: an empty group changes its protocol. */
  consumerGroup(groupId: string, mayCreate: boolean): ConsumerGroup | undefined {
    const group = this.#groups.get(groupId);
    if (group?.kind === 'consumer') return group;
    if (!mayCreate || group?.isEmpty === false) return undefined;
    group?.close();
    const made = new ConsumerGroup(groupId, this.#cluster, this.#clock, this.settings, () => this.#cluster.newUuid());
    this.#groups.set(groupId, made);
    return made;
  }

  /** What the group has committed; empty when it has committed nothing. */
  offsets(groupId: string): CommittedOffsets {
    let offsets = this.#offsets.get(groupId);
    if (offsets === undefined) {
      offsets = new CommittedOffsets();
      this.#offsets.set(groupId, offsets);
    }
    return offsets;
  }

  /** The offset that a group has committed. */
  committed(groupId: string, topic: string, partition: number): number | undefined {
    return this.#offsets.get(groupId)?.get(topic, partition)?.offset;
  }

  /** Deletes a group without members, with its offsets. */
  delete(groupId: string): ErrorName {
    const group = this.#groups.get(groupId);
    if (group === undefined || group.state === 'Dead') return 'GROUP_ID_NOT_FOUND';
    if (group.state !== 'Empty') return 'NON_EMPTY_GROUP';
    group.die();
    this.#groups.delete(groupId);
    this.#offsets.delete(groupId);
    return 'NONE';
  }

  /** Offsets of a topic go with it. */
  topicDeleted(topic: string): void {
    for (const offsets of this.#offsets.values()) offsets.deleteTopic(topic);
  }

  coordinatorMoved(groupId: string): void {
    this.#groups.get(groupId)?.coordinatorMoved();
  }

  close(): void {
    for (const group of this.#groups.values()) group.close();
  }
}

/** A UUID in the form that member ids of the classic protocol end with. */
function uuidOf(id: string): string {
  const hex = Buffer.from(id, 'base64url').toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
