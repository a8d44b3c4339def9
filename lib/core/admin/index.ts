export { KrafkaAggregateError } from './aggregate-error.js';
export { Admin, type CreatedTopic, type CreateTopicsOptions, type TopicSpec } from './admin.js';
export type { AdminOptions, CallOptions } from './call-options.js';
