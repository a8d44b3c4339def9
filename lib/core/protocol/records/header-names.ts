// Records of a topic share a few header names: a small table of texts already made saves making them again. Which
// texts are in it changes nothing but speed, and it never grows.
const SLOTS = 256;
const LONGEST = 48;
const names = Array.from({ length: SLOTS }, () => '');

/** The header name in `bytes` from `start` up to `end`. */
export function headerName(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 0 || length > LONGEST) return bytes.utf8Slice(start, end);
  const first = bytes[start] as number;
  const middle = bytes[start + (length >>> 1)] as number;
  const last = bytes[end - 1] as number;
  const slot = (length + first * 7 + middle * 31 + last * 131) & (SLOTS - 1);
  const known = names[slot] as string;
  if (known.length === length) {
    let at = 0;
    while (at < length && known.charCodeAt(at) === bytes[start + at]) at++;
    if (at === length) return known;
  }
  const name = bytes.utf8Slice(start, end);
  // A name of as many characters as bytes is ASCII, so that its codes are its bytes.
  if (name.length === length) names[slot] = name;
  return name;
}
