/** Up to this many characters a loop over their codes is faster than a call into Node. */
export const SHORT_TEXT = 24;

/** Bytes of a text in UTF-8. A lone surrogate is written as U+FFFD (three bytes), as everywhere in Node. */
export function utf8Length(text: string): number {
  const length = text.length;
  if (length > SHORT_TEXT) return Buffer.byteLength(text);
  for (let at = 0; at < length; at++) {
    if (text.charCodeAt(at) > 0x7f) return Buffer.byteLength(text);
  }
  return length;
}

/**
 * Writes a text that takes `bytes` in UTF-8; answers the position behind it. When `bytes` is the number of characters
 * the text is taken to be ASCII, and -1 answers when a short one turns out not to be: long ones must have been measured.
 */
export function writeText(buffer: Buffer, position: number, text: string, bytes: number): number {
  const length = text.length;
  if (length !== bytes) return position + buffer.utf8Write(text, position, bytes);
  if (length > SHORT_TEXT) return position + buffer.latin1Write(text, position, bytes);
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return -1;
    buffer[position++] = code;
  }
  return position;
}
