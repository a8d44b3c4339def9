import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaSerializationError } from '../../core/support/index.js';
import { messageOf } from '../failure-policy/describe-error.js';
import { isPromise } from '../wire/payloads.js';
import type { Delivery } from './delivery.js';

/**
 * What a handler is given of a record; a promise where a deserializer makes one.
 *
 * @throws KrafkaSerializationError when a deserializer can't read it: the bytes stay the same, so trying again would not help
 */
export function payloadOf({ payloads }: Pick<Delivery, 'payloads'>, record: ConsumerRecord): unknown {
  try {
    const payload = payloads.decode(record);
    return isPromise(payload) ? Promise.resolve(payload).catch(refuse) : payload;
  } catch (error) {
    return refuse(error);
  }
}

/** What decoders throw about bytes. A registry that is away throws others: those may pass. */
const ABOUT_BYTES = [SyntaxError, RangeError, TypeError];

function refuse(error: unknown): never {
  if (!ABOUT_BYTES.some((kind) => error instanceof kind)) throw error;
  throw new KrafkaSerializationError(`a payload can't be read: ${messageOf(error)}`, error);
}
