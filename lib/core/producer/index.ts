export type { BatchProgress, ProducerEvents } from './events.js';
export type { ProducerInterceptor } from './interceptor.js';
export type { AccumulatorConfig, ProducerOptions } from './options.js';
export type {
  PartitionableRecord,
  Partitioner,
  PartitionerName,
  PartitionFunction,
} from './partitioner/partitioner.js';
export * from './producer.js';
export type { ProducerRecord, RecordContent, RecordMetadata, SendOptions, SendOutcome } from './record.js';
export type { SerializationContext, Serializer } from './serializer.js';
export type { ProducerStats } from './stats.js';
export type { TransactionGroup, TransactionOffset } from './transactions/group-offsets.js';
export type {
  Transaction,
  TransactionOptions,
  TransactionScope,
  TransactionState,
} from './transactions/transaction.js';
