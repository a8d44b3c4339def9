/** A thousand values of so many bytes: the half of each repeats, as JSON does, so a codec finds something and not everything. */
export function valuesOf(bytes) {
  return Array.from({ length: 1_000 }, (_, index) => {
    const value = Buffer.alloc(bytes, `{"sku":"tea","quantity":1,"note":"`);
    for (let at = 0; at < bytes / 2; at++) value[at] = 97 + ((index * 31 + at * 7 + ((at * index) % 13)) % 26);
    return value;
  });
}

export const KEYS = Array.from({ length: 1_000 }, (_, index) => `key-${index}`);
