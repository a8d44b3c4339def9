export {
  KrafkaClient,
  type KrafkaBatch,
  type KrafkaClientEvents,
  type KrafkaClientStatus,
} from './client/krafka-client.js';
export { KrafkaRecord, KrafkaRecordBuilder } from './client/krafka-record.js';
export { KrafkaTransaction, type HandledContext, type TransactionRecord } from './client/krafka-transaction.js';
export type { ReplyStats } from './client/pending-requests.js';
export { CommitMode, Concurrency, ConsumerGroup } from './decorators/handling.js';
export { KrafkaListener, type ListenerOptions } from './decorators/krafka-listener.js';
export { OnFailure, RetryTopics } from './decorators/on-failure.js';
export {
  BatchPattern,
  EventPattern,
  MessagePattern,
  type BatchHandlerOptions,
  type PatternDecorator,
} from './decorators/patterns.js';
export { RecordHeader, RecordHeaders, RecordKey, RecordTimestamp } from './decorators/record-parts.js';
export type { ErrorClass, FailureOptions, LastResort, RetryTopicsOptions } from './failure-policy/failure-policy.js';
export type { DeadLetter } from './failure-policy/decode-dead-letter.js';
export {
  KrafkaDeadLetters,
  type DeadLetterCursor,
  type DeadLetterList,
  type DeadLetterRange,
  type ReplayOptions,
  type ReplayReport,
} from './failure-policy/krafka-dead-letters.js';
export {
  KrafkaModule,
  type KrafkaAsyncOptions,
  type KrafkaFeatureAsyncOptions,
  type KrafkaFeatureOptions,
  type KrafkaRootOptions,
} from './krafka.module.js';
export { NestLogger } from './nest-logger.js';
export type {
  KrafkaClientOptions,
  KrafkaModuleOptions,
  KrafkaProducerOptions,
  KrafkaServerConsumerOptions,
  KrafkaServerOptions,
  ReplyTopicOptions,
} from './options.js';
export type { DeliveryCounts, HandlerFailure } from './server/delivery.js';
export type { GroupHealth } from './server/group-worker.js';
export type {
  BatchOptions,
  CommitMode as CommitModeName,
  ConcurrencyOptions,
  HandlerOptions,
} from './server/handler-options.js';
export { KrafkaBatchContext } from './server/krafka-batch-context.js';
export { KrafkaContext, type KafkaMessageView, type KrafkaContextArgs } from './server/krafka-context.js';
export type { RecordCondition } from './server/record-condition.js';
export {
  KrafkaServer,
  type KrafkaServerCore,
  type KrafkaServerEvents,
  type KrafkaServerState,
  type KrafkaStatus,
} from './server/krafka-server.js';
export { getKrafkaClientToken, getKrafkaToken, InjectKrafkaClient } from './tokens.js';
export { fromConfig, TopicFromConfig, type TopicNames } from './topic-from-config.js';
export type { TopicPattern } from './topic-name.js';
export type { TopicDeclaration } from './topics.js';
export type { IncomingValue } from './wire/incoming-value.js';
export type { KafkaMessageLike } from './wire/outgoing-record.js';
export type { NestDeserializer, NestSerializer } from './wire/payloads.js';
export { schemaRegistrySerde, type SchemaCodec, type SchemaRegistry } from './wire/schema-registry.js';
export {
  jsonSerde,
  rawSerde,
  type DeserializeContext,
  type KrafkaSerde,
  type SerdeOptions,
  type SerializeContext,
} from './wire/serde.js';
