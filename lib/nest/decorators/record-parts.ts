import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { KrafkaBatchContext } from '../server/krafka-batch-context.js';
import type { KafkaMessageView, KrafkaContext } from '../server/krafka-context.js';
import type { IncomingValue } from '../wire/incoming-value.js';

/** A part of the record, or of each record where the handler is given a batch of them. */
function partOf<Part>(host: ExecutionContext, read: (message: KafkaMessageView) => Part): Part | readonly Part[] {
  const context = host.switchToRpc().getContext<KrafkaContext | KrafkaBatchContext>();
  return context instanceof KrafkaBatchContext ? context.getMessages().map(read) : read(context.getMessage());
}

/** The record's key, parsed like a payload; null when it has none. In a batch handler, the keys in an array. */
export const RecordKey: () => ParameterDecorator = createParamDecorator(
  (_nothing: unknown, host: ExecutionContext): IncomingValue => partOf(host, ({ key }) => key),
);

/**
 * One header of the record, parsed like a payload; undefined when it isn't there, an array when it is repeated. In a batch
 * handler, that of each record in an array.
 */
export const RecordHeader: (name: string) => ParameterDecorator = createParamDecorator(
  (name: string, host: ExecutionContext): IncomingValue =>
    partOf(host, ({ headers }) => (Object.hasOwn(headers, name) ? headers[name] : undefined)),
);

/** All headers of the record, parsed like payloads. In a batch handler, those of each record in an array. */
export const RecordHeaders: () => ParameterDecorator = createParamDecorator(
  (_nothing: unknown, host: ExecutionContext): IncomingValue => partOf(host, ({ headers }) => headers),
);

/** The record's timestamp in milliseconds since the epoch. In a batch handler, the timestamps in an array. */
export const RecordTimestamp: () => ParameterDecorator = createParamDecorator(
  (_nothing: unknown, host: ExecutionContext): IncomingValue => partOf(host, ({ timestamp }) => Number(timestamp)),
);
