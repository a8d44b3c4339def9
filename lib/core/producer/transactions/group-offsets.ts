import { KrafkaError } from '../../support/index.js';

/**
 * The place in its group of the consumer whose offsets a transaction commits, as `consumer.groupMetadata()` tells it (KIP-447).
 * The group refuses offsets of a place that is no longer held: that is what keeps a member that was taken for dead from
 * committing twice. With the group's id alone nobody is fenced: for offsets of no member.
 */
export interface TransactionGroup {
  readonly groupId: string;
  /** The generation of a classic group, the member epoch of one by the consumer protocol. Default: of no member. */
  readonly generationId?: number | undefined;
  readonly memberId?: string | undefined;
  readonly groupInstanceId?: string | null | undefined;
}

/** An offset that a transaction commits: of the next record to be read. */
export interface TransactionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The leader epoch of the last record done (KIP-320), where known. */
  readonly leaderEpoch?: number | undefined;
  /** Text kept with the offset. */
  readonly metadata?: string | undefined;
}

/** @throws KrafkaError INVALID_OFFSETS naming what can't be committed; NOT_A_MEMBER where nobody would be fenced by mistake */
export function checkGroupOffsets(offsets: readonly TransactionOffset[], group: TransactionGroup): void {
  if (typeof group?.groupId !== 'string' || group.groupId === '') {
    throw invalid('the group of the offsets must have a groupId: hand over consumer.groupMetadata()');
  }
  if (group.generationId === -1 && group.memberId === '') {
    throw new KrafkaError(
      `the consumer is not a member of group '${group.groupId}' now: nobody would fence its offsets`,
      {
        code: 'NOT_A_MEMBER',
        retriable: true,
      },
    );
  }
  if (!Array.isArray(offsets)) throw invalid('offsets must be given as an array');
  for (const one of offsets as readonly Partial<TransactionOffset>[]) {
    if (typeof one?.topic !== 'string' || !isCount(one.partition) || !isCount(one.offset)) {
      throw invalid(
        'an offset must be { topic, partition, offset }, the offset being that of the next record to be read',
      );
    }
  }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const invalid = (problem: string): KrafkaError => new KrafkaError(problem, { code: 'INVALID_OFFSETS' });
