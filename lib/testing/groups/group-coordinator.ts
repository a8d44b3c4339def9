import type { ErrorName } from '../../core/protocol/index.js';
import type { Clock } from '../../core/support/index.js';
import { ClassicGroup, type ClassicGroupTimes } from './classic-group.js';
import { CommittedOffsets } from './committed-offsets.js';

/** What the broker's configuration says of groups. */
export interface GroupSettings extends ClassicGroupTimes {
  /** Kafka's group.min.session.timeout.ms. */
  readonly minSessionTimeoutMs: number;
  /** Kafka's group.max.session.timeout.ms. */
  readonly maxSessionTimeoutMs: number;
}

/** Kafka's offset.metadata.max.bytes. */
export const MAX_OFFSET_METADATA_BYTES = 4096;

/** All groups and their offsets. Which node answers for a group is the placement's affair. */
export class GroupCoordinator {
  readonly settings: GroupSettings;
  readonly #clock: Clock;
  readonly #newUuid: () => string;
  readonly #groups = new Map<string, ClassicGroup>();
  readonly #offsets = new Map<string, CommittedOffsets>();

  constructor(settings: GroupSettings, clock: Clock, newUuid: () => string) {
    this.settings = settings;
    this.#clock = clock;
    this.#newUuid = newUuid;
  }

  get all(): readonly ClassicGroup[] {
    return [...this.#groups.values()];
  }

  find(groupId: string): ClassicGroup | undefined {
    return this.#groups.get(groupId);
  }

  findOrCreate(groupId: string): ClassicGroup {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = new ClassicGroup(groupId, this.#clock, this.settings, this.#newUuid);
      this.#groups.set(groupId, group);
    }
    return group;
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
    if (group === undefined) return 'GROUP_ID_NOT_FOUND';
    if (group.state === 'Dead') return 'GROUP_ID_NOT_FOUND';
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
