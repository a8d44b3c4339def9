import { inspect } from 'node:util';
import type { TimestampType } from './batch-header.js';
import { headerName } from './header-names.js';

/** One header value as a consumer gets it. */
export type ReceivedHeaderValue = Buffer | null;

/** The headers of a record as a consumer gets them: an array where the key was repeated. It has no prototype. */
export type ReceivedHeaders = Readonly<Record<string, ReceivedHeaderValue | readonly ReceivedHeaderValue[]>>;

/** What all records of a batch have in common, and the bytes they are in. */
export interface RecordSource {
  readonly topic: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly timestampType: TimestampType;
  readonly bytes: Buffer;
}

/**
 * One record that was consumed. Key, value and headers are views of what the broker sent, made when first asked for
 * and then kept: a record that you keep keeps all the bytes it came with. {@link detach} lets them go.
 *
 * Hot: guarded by `npm run bench -- consume`. It holds where its key begins and nothing else; whoever makes one has
 * walked the record, so that no getter ever fails.
 */
export class ConsumerRecord {
  /** Place of the record in its partition. */
  readonly offset: number;
  /** Milliseconds since the epoch, as {@link timestampType} says whose; -1 for none. */
  readonly timestamp: number;
  readonly #source: RecordSource;
  readonly #start: number;
  readonly #end: number;
  #key: Buffer | null | undefined = undefined;
  #value: Buffer | null | undefined = undefined;
  #headers: ReceivedHeaders | undefined = undefined;

  /** `start` is where the length of the key lies, `end` is behind the last header. */
  constructor(offset: number, timestamp: number, source: RecordSource, start: number, end: number) {
    this.offset = offset;
    this.timestamp = timestamp;
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  /** What a record is made of, in the order of the constructor: for a class that adds something to a record. */
  protected static partsOf(record: ConsumerRecord): [number, number, RecordSource, number, number] {
    return [record.offset, record.timestamp, record.#source, record.#start, record.#end];
  }

  get topic(): string {
    return this.#source.topic;
  }

  get partition(): number {
    return this.#source.partition;
  }

  get timestampType(): TimestampType {
    return this.#source.timestampType;
  }

  /** Epoch of the leader that appended the record's batch, -1 when the broker does not say. */
  get leaderEpoch(): number {
    return this.#source.leaderEpoch;
  }

  /** Bytes of key, value and headers, as they came. */
  get sizeInBytes(): number {
    return this.#end - this.#start;
  }

  /** The key's bytes, or null. A view: see {@link detach}. */
  get key(): Buffer | null {
    if (this.#key === undefined) this.#key = view(this.#source.bytes, this.#start);
    return this.#key;
  }

  /** The value's bytes, or null: a tombstone. A view: see {@link detach}. */
  get value(): Buffer | null {
    if (this.#value === undefined) {
      const { bytes } = this.#source;
      this.#value = view(bytes, behind(bytes, this.#start));
    }
    return this.#value;
  }

  /** The headers by name: an array where a name was repeated. Views: see {@link detach}. */
  get headers(): ReceivedHeaders {
    if (this.#headers === undefined) {
      const { bytes } = this.#source;
      this.#headers = readHeaders(bytes, behind(bytes, behind(bytes, this.#start)));
    }
    return this.#headers;
  }

  /** The key as UTF-8 text, without making a view. */
  get keyText(): string | null {
    return text(this.#source.bytes, this.#start);
  }

  /** The value as UTF-8 text, without making a view. */
  get valueText(): string | null {
    const { bytes } = this.#source;
    return text(bytes, behind(bytes, this.#start));
  }

  /** A copy with bytes of its own: what it came with may be freed. */
  detach(): ConsumerRecord {
    const { bytes, topic, partition, leaderEpoch, timestampType } = this.#source;
    const own = Buffer.from(bytes.subarray(this.#start, this.#end));
    const source = { topic, partition, leaderEpoch, timestampType, bytes: own };
    return new ConsumerRecord(this.offset, this.timestamp, source, 0, own.length);
  }

  /** Everything of the record, for `JSON.stringify`: key, value and headers as Buffers are written there. */
  toJSON(): object {
    return this[inspect.custom]();
  }

  [inspect.custom](): object {
    const { topic, partition, offset, timestamp, timestampType, leaderEpoch, key, value, headers } = this;
    return { topic, partition, offset, timestamp, timestampType, leaderEpoch, key, value, headers };
  }
}

type MutableHeaders = Record<string, ReceivedHeaderValue | ReceivedHeaderValue[]>;

// Objects of this constructor inherit nothing, so that no header name finds anything but a header, and unlike those
// of Object.create(null) V8 does not make them hash tables.
const Headers = function () {} as unknown as new () => MutableHeaders;
Headers.prototype = Object.freeze(Object.create(null)) as unknown;

const NO_HEADERS: ReceivedHeaders = Object.freeze(new Headers());

function readHeaders(bytes: Buffer, position: number): ReceivedHeaders {
  const count = lengthAt(bytes, position);
  if (count === 0) return NO_HEADERS;
  position += sizeAt(bytes, position);
  const headers = new Headers();
  for (let left = count; left > 0; left--) {
    const nameStart = position + sizeAt(bytes, position);
    position = nameStart + lengthAt(bytes, position);
    const name = headerName(bytes, nameStart, position);
    const value = view(bytes, position);
    position = behind(bytes, position);
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else headers[name] = [before, value];
  }
  return headers;
}

/** The content whose length lies at `position`. */
function view(bytes: Buffer, position: number): Buffer | null {
  const length = lengthAt(bytes, position);
  if (length < 0) return null;
  const start = position + sizeAt(bytes, position);
  return bytes.subarray(start, start + length);
}

function text(bytes: Buffer, position: number): string | null {
  const length = lengthAt(bytes, position);
  if (length < 0) return null;
  const start = position + sizeAt(bytes, position);
  return bytes.utf8Slice(start, start + length);
}

/** Where the content whose length lies at `position` ends. */
function behind(bytes: Buffer, position: number): number {
  const length = lengthAt(bytes, position);
  return position + sizeAt(bytes, position) + (length < 0 ? 0 : length);
}

/** The zig-zag varint at `position`, which was checked before. */
function lengthAt(bytes: Buffer, position: number): number {
  let byte = bytes[position++] as number;
  let unsigned = byte & 0x7f;
  for (let shift = 7; byte > 0x7f; shift += 7) {
    byte = bytes[position++] as number;
    unsigned |= (byte & 0x7f) << shift;
  }
  return (unsigned >>> 1) ^ -(unsigned & 1);
}

function sizeAt(bytes: Buffer, position: number): number {
  const start = position;
  while ((bytes[position] as number) > 0x7f) position++;
  return position - start + 1;
}
