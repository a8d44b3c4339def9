import type { ConsumerRecord, ReceivedHeaders, ReceivedHeaderValue } from '../../core/protocol/index.js';

/** What a handler may be given for a key, a value or a header: parsed JSON, text, raw bytes or null. */
export type IncomingValue = unknown;

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/**
 * A key, value or header by the rules of Nest's Kafka transport: bytes that begin with 0x00 stay as they are (the mark
 * of a schema registry), text that begins with `{` or `[` is parsed when it is JSON, all else is text.
 *
 * Raw bytes are copied, so that keeping them doesn't keep the whole fetch response alive.
 */
export function parseValue(bytes: Buffer | null | undefined): IncomingValue {
  if (bytes === null || bytes === undefined) return null;
  const first = bytes[0];
  if (first === 0) return Buffer.from(bytes);
  const text = bytes.toString();
  return first === OPEN_BRACE || first === OPEN_BRACKET ? parseText(text) : text;
}

function parseText(text: string): IncomingValue {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Text that only looks like JSON is text: the sender's business.
    return text;
  }
}

/** The value of a record as {@link parseValue} has it, without a view of its bytes in between: what every event costs. */
export function parseValueOf(record: ConsumerRecord): IncomingValue {
  const text = record.valueText;
  if (text === null) return null;
  const first = text.charCodeAt(0);
  if (first === 0) return parseValue(record.value);
  return first === OPEN_BRACE || first === OPEN_BRACKET ? parseText(text) : text;
}

/** The headers of a record, each parsed like a value; a repeated one is an array. */
export function parseHeaders(headers: ReceivedHeaders): Record<string, IncomingValue> {
  // From entries, not by assignment: a header may be called '__proto__'.
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      isRepeated(value) ? value.map(parseValue) : parseValue(value),
    ]),
  );
}

/** The first value of a header, undefined when it isn't there. */
export function headerBytes(headers: ReceivedHeaders, name: string): Buffer | null | undefined {
  if (!Object.hasOwn(headers, name)) return undefined;
  const value = headers[name];
  return isRepeated(value) ? value[0] : value;
}

/** The first value of a header as text; undefined when it isn't there or is null. */
export const headerText = (headers: ReceivedHeaders, name: string): string | undefined =>
  headerBytes(headers, name)?.toString();

const isRepeated = (value: ReceivedHeaders[string] | undefined): value is readonly ReceivedHeaderValue[] =>
  Array.isArray(value);
