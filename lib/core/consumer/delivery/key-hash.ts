/**
 * A number for the bytes of a key, 0 for none: equal keys have equal ones. Keys that differ may share one, and then
 * wait for one another, which costs time and nothing else. FNV-1a, cut to what V8 keeps without a heap number.
 */
export function keyHash(key: Uint8Array | null): number {
  if (key === null) return 0;
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ (key[index] as number), 0x01000193);
  }
  return (hash >>> 2) | 0;
}
