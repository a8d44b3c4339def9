export { ConsumerRecord, type ReceivedHeaders, type ReceivedHeaderValue } from '../protocol/index.js';
export * from './consumer.js';
export * from './consumer-events.js';
export {
  type ConsumerOptions,
  type DecodingConsumerOptions,
  type GroupProtocol,
  type IsolationLevel,
  type ManualAssignment,
  type OffsetReset,
  type RebalanceListener,
} from './consumer-options.js';
export * from './consumer-stats.js';
export type { Assignor, AssignorName, GroupSubscription, PartitionCounts } from './group/assignor.js';
export { decodeAssignment } from './group/consumer-protocol.js';
export { DecodedRecord } from './decoding/decoded-record.js';
export type { DeserializationContext, Deserializer, UndecodablePolicy } from './decoding/deserializer.js';
export { ConsumerStream, type StreamOptions } from './delivery/consumer-stream.js';
export { Nack, nack } from './delivery/nack.js';
export { KrafkaHandlerError } from './delivery/handler-error.js';
export * from './handlers.js';
export type { OffsetSpec } from './assigned-partition.js';
export type { OffsetToCommit } from './offsets/offset-committer.js';
export type { TopicPartition, TopicPartitionOffset } from './topic-partition.js';
