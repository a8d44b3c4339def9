import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
  Produce,
  TxnOffsetCommit,
  errorName,
  type ErrorName,
} from '../../core/protocol/index.js';
import type { ProducerIdentity } from '../transactions/transaction.js';
import { aBatch } from './batches.js';
import type { WireClient } from './wire-client.js';

/** Who is meant, and at which version; both have a default. */
export interface As {
  readonly as?: ProducerIdentity;
  readonly version?: number;
}

/** The place in its group that offsets are committed for. Default: of no member. */
export interface MemberPlace {
  readonly generationId?: number;
  readonly memberId?: string;
  readonly groupInstanceId?: string | null;
}

/** A transactional producer, a request at a time. */
export class TransactionalProducer {
  identity: ProducerIdentity = { producerId: -1, producerEpoch: -1 };

  constructor(
    readonly client: WireClient,
    readonly transactionalId: string,
    readonly topic = 'orders',
    /** Of the records it sends. */
    readonly timestamp = 1,
  ) {}

  async init(expected?: ProducerIdentity, version = 5, transactionTimeoutMs = 60_000): Promise<ErrorName> {
    const { transactionalId } = this;
    const request = { transactionalId, transactionTimeoutMs, ...expected };
    const { errorCode, producerId, producerEpoch } = await this.client.send(InitProducerId, version, request);
    if (errorCode === 0) this.identity = { producerId, producerEpoch };
    return errorName(errorCode);
  }

  async add(partitions: readonly number[], { as = this.identity, version = 3 }: As = {}): Promise<ErrorName[]> {
    const answer = await this.client.send(AddPartitionsToTxn, version, {
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: as.producerId,
      v3AndBelowProducerEpoch: as.producerEpoch,
      v3AndBelowTopics: [{ name: this.topic, partitions }],
    });
    return answer.resultsByTopicV3AndBelow.flatMap(({ resultsByPartition }) =>
      resultsByPartition.map(({ partitionErrorCode }) => errorName(partitionErrorCode)),
    );
  }

  async send(
    baseSequence: number,
    value: string,
    {
      as = this.identity,
      version = 12,
      partition = 0,
      transactional = true,
    }: As & { partition?: number; transactional?: boolean } = {},
  ): Promise<ErrorName> {
    const records = await aBatch([value], { ...as, baseSequence, transactional, timestamp: this.timestamp });
    const answer = await this.client.send(Produce, version, {
      transactionalId: this.transactionalId,
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: this.topic, partitionData: [{ index: partition, records }] }],
    });
    return errorName(answer.responses[0]?.partitionResponses[0]?.errorCode ?? 0);
  }

  async addOffsets(groupId: string, { as = this.identity, version = 4 }: As = {}): Promise<ErrorName> {
    const request = { transactionalId: this.transactionalId, ...as, groupId };
    return errorName((await this.client.send(AddOffsetsToTxn, version, request)).errorCode);
  }

  async commitOffset(
    groupId: string,
    committedOffset: number,
    { as = this.identity, version = 5, member = {} }: As & { member?: MemberPlace } = {},
  ): Promise<ErrorName> {
    const answer = await this.client.send(TxnOffsetCommit, version, {
      transactionalId: this.transactionalId,
      groupId,
      ...as,
      ...member,
      topics: [{ name: this.topic, partitions: [{ partitionIndex: 0, committedOffset, committedMetadata: null }] }],
    });
    return errorName(answer.topics[0]?.partitions[0]?.errorCode ?? 0);
  }

  async end(committed: boolean, { as = this.identity, version = 5 }: As = {}): Promise<ErrorName> {
    const request = { transactionalId: this.transactionalId, ...as, committed };
    const { errorCode, producerId, producerEpoch } = await this.client.send(EndTxn, version, request);
    if (errorCode === 0 && version >= 5) this.identity = { producerId, producerEpoch };
    return errorName(errorCode);
  }
}
