import { Reader } from '../../core/protocol/index.js';

/**
 * The topics in a consumer's subscription, the metadata of protocol type `consumer`: its first fields are the same in
 * every version. Undefined when it can't be read.
 */
export function subscribedTopics(metadata: Buffer): readonly string[] | undefined {
  try {
    const reader = new Reader(metadata);
    reader.int16();
    const count = reader.arrayLength(reader.int32(), 2);
    return Array.from({ length: count }, () => reader.utf8(reader.int16()));
  } catch {
    return undefined;
  }
}
