import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { KrafkaContext } from '../server/krafka-context.js';
import type { IncomingValue } from '../wire/incoming-value.js';

const contextOf = (host: ExecutionContext): KrafkaContext => host.switchToRpc().getContext<KrafkaContext>();

/** The record's key, parsed like a payload; null when it has none. */
export const RecordKey: () => ParameterDecorator = createParamDecorator(
  (_nothing: unknown, host: ExecutionContext): IncomingValue => contextOf(host).getMessage().key,
);

/** One header of the record, parsed like a payload; undefined when it isn't there, an array when it is repeated. */
export const RecordHeader: (name: string) => ParameterDecorator = createParamDecorator(
  (name: string, host: ExecutionContext): IncomingValue => {
    const { headers } = contextOf(host).getMessage();
    return Object.hasOwn(headers, name) ? headers[name] : undefined;
  },
);

/** All headers of the record, parsed like payloads. */
export const RecordHeaders: () => ParameterDecorator = createParamDecorator(
  (_nothing: unknown, host: ExecutionContext): Record<string, IncomingValue> => contextOf(host).getMessage().headers,
);

/** The record's timestamp in milliseconds since the epoch. */
export const RecordTimestamp: () => ParameterDecorator = createParamDecorator(
  (_nothing: unknown, host: ExecutionContext): number => contextOf(host).record.timestamp,
);
