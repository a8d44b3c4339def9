import type { Reader } from './reader.js';

/** Skips a section of tagged fields (KIP-482): a count, then for each a tag, a length and as many bytes. */
export function skipTaggedFields(reader: Reader): void {
  const count = reader.arrayLength(reader.unsignedVarint(), 2);
  for (let index = 0; index < count; index++) {
    reader.unsignedVarint();
    reader.take(reader.unsignedVarint());
  }
}
