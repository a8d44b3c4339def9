export type { AcknowledgedRange, AcknowledgeType } from './acknowledge-type.js';
export { KrafkaAcknowledgeError } from './acknowledge-error.js';
export * from './share-consumer.js';
export * from './share-consumer-events.js';
export type { AcknowledgementMode, AcquireMode, ShareConsumerOptions } from './share-consumer-options.js';
export type { ShareConsumerStats, ShareCountersSnapshot } from './share-consumer-stats.js';
export type { AcknowledgeFailure } from './acknowledgement-outbox.js';
export { ShareRecord } from './share-record.js';
export type { ShareHandlerContext, ShareRecordHandler, ShareRunOptions } from './share-run.js';
