export { EmbeddedBroker, type EmbeddedTopic } from './embedded-broker.js';
export type { EmbeddedBrokerOptions } from './embedded-broker.options.js';
export type { EmbeddedHeader, EmbeddedRecord } from './embedded-record.js';
export type { ArmedFault, Fault, FaultRule, Faults, FaultTarget } from './faults.js';
export type { CoordinatorType } from './cluster/coordinator-placement.js';
export type { LoggedRequest, RequestLog } from './request-log.js';
export type { ApiVersionLimit, ApiVersionLimits } from './server/offered-apis.js';
export type { EmbeddedTls } from './server/node-server.js';
export type { EmbeddedSasl } from './server/sasl.js';
