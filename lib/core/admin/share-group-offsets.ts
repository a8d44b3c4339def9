import type { TopicPartition, TopicPartitionOffset } from '../consumer/index.js';
import {
  AlterShareGroupOffsets,
  DeleteShareGroupOffsets,
  DescribeShareGroupOffsets,
  ERROR_CODES,
  protocolError,
} from '../protocol/index.js';
import { checkOptions, KrafkaError, optional } from '../support/index.js';
import { answerOr, byTopic, type AdminCall, type Answers } from './admin-call.js';
import { CALL_OPTIONS, type CallOptions } from './call-options.js';
import { checkPartitions } from './partition-offsets.js';
import { allOrThrow } from './settle-each.js';

/** Where a share group stands in one partition: everything before the offset is done with. */
export interface ShareGroupOffset extends TopicPartitionOffset {
  /** Epoch of the partition's leader at that offset; -1 when the broker does not say. */
  readonly leaderEpoch: number;
  /** How many records behind it are not done with; undefined when the broker does not say (before KIP-1226). */
  readonly lag: number | undefined;
}

export interface ListShareGroupOffsetsOptions extends CallOptions {
  /** Only of these partitions. Default: all that the group has read. */
  readonly partitions?: readonly TopicPartition[] | undefined;
}

export const checkListShareGroupOffsets = (
  given: ListShareGroupOffsetsOptions | undefined,
): ListShareGroupOffsetsOptions =>
  checkOptions<ListShareGroupOffsetsOptions>(
    given,
    { ...CALL_OPTIONS, partitions: optional(checkPartitions) },
    'options',
  );

export async function listShareGroupOffsets(
  call: AdminCall,
  groupId: string,
  { partitions: wanted }: ListShareGroupOffsetsOptions,
): Promise<ShareGroupOffset[]> {
  const topics =
    wanted === undefined
      ? null
      : Array.from(byTopic(wanted), ([topicName, here]) => ({
          topicName,
          partitions: here.map(({ partition }) => partition),
        }));
  const settled = await call.onCoordinators(
    [groupId],
    async (connection): Promise<Answers<string, ShareGroupOffset[]>> => {
      const response = await connection.sendRequest(
        DescribeShareGroupOffsets,
        { groups: [{ groupId, topics }] },
        call.wait,
      );
      const group = response.groups.find((one) => one.groupId === groupId);
      const context = contextOf('DescribeShareGroupOffsets', groupId, group?.errorMessage);
      if (group === undefined) {
        return new Map([[groupId, protocolError(ERROR_CODES.UNKNOWN_SERVER_ERROR, context)]]);
      }
      if (group.errorCode !== ERROR_CODES.NONE) {
        return new Map([[groupId, protocolError(group.errorCode, context)]]);
      }
      const offsets: ShareGroupOffset[] = [];
      for (const { topicName: topic, partitions } of group.topics) {
        for (const {
          partitionIndex: partition,
          startOffset,
          leaderEpoch,
          lag,
          errorCode,
          errorMessage,
        } of partitions) {
          if (errorCode !== ERROR_CODES.NONE) {
            const here = { ...contextOf('DescribeShareGroupOffsets', groupId, errorMessage), topic, partition };
            return new Map([[groupId, protocolError(errorCode, here)]]);
          }
          // A partition that the group has not begun to read.
          if (startOffset < 0) continue;
          offsets.push({ topic, partition, offset: startOffset, leaderEpoch, lag: lag < 0 ? undefined : lag });
        }
      }
      offsets.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
      return new Map([[groupId, offsets]]);
    },
  );
  return allOrThrow(settled, 'share groups to list their offsets').get(groupId)!;
}

export async function alterShareGroupOffsets(
  call: AdminCall,
  groupId: string,
  offsets: readonly TopicPartitionOffset[],
): Promise<void> {
  const settled = await call.settle(
    offsets,
    ({ topic, partition }) => `the offset of share group '${groupId}' in topic '${topic}' partition ${partition}`,
    (pending) =>
      call.atCoordinator(groupId, async (connection) => {
        const api = 'AlterShareGroupOffsets';
        const response = await connection.sendRequest(
          AlterShareGroupOffsets,
          {
            groupId,
            topics: Array.from(byTopic(pending), ([topicName, here]) => ({
              topicName,
              partitions: here.map(({ partition, offset }) => ({ partitionIndex: partition, startOffset: offset })),
            })),
          },
          call.wait,
        );
        if (response.errorCode !== ERROR_CODES.NONE) {
          throw protocolError(response.errorCode, contextOf(api, groupId, response.errorMessage));
        }
        const answers = new Map<TopicPartitionOffset, true | KrafkaError>();
        for (const item of pending) {
          const { topic, partition } = item;
          const told = response.responses
            .find(({ topicName }) => topicName === topic)
            ?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
          if (told === undefined) continue;
          const context = { ...contextOf(api, groupId, told.errorMessage), topic, partition };
          answers.set(
            item,
            answerOr(told.errorCode, context, () => true as const),
          );
        }
        return answers;
      }),
  );
  allOrThrow(settled, 'offsets of a share group to be altered');
}

export async function deleteShareGroupOffsets(
  call: AdminCall,
  groupId: string,
  topics: readonly string[],
): Promise<void> {
  const settled = await call.settle(
    new Set(topics),
    (topic) => `the offsets of share group '${groupId}' in topic '${topic}'`,
    (pending) =>
      call.atCoordinator(groupId, async (connection) => {
        const api = 'DeleteShareGroupOffsets';
        const response = await connection.sendRequest(
          DeleteShareGroupOffsets,
          { groupId, topics: pending.map((topicName) => ({ topicName })) },
          call.wait,
        );
        if (response.errorCode !== ERROR_CODES.NONE) {
          throw protocolError(response.errorCode, contextOf(api, groupId, response.errorMessage));
        }
        return new Map(
          response.responses.map(({ topicName: topic, errorCode, errorMessage }): [string, true | KrafkaError] => [
            topic,
            answerOr(errorCode, { ...contextOf(api, groupId, errorMessage), topic }, () => true as const),
          ]),
        );
      }),
  );
  allOrThrow(settled, 'offsets of a share group to be deleted');
}

const contextOf = (api: string, groupId: string, message: string | null | undefined) => ({
  api,
  detail: [`share group '${groupId}'`, message].filter(Boolean).join(': '),
});
