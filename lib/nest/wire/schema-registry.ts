import { KrafkaSerializationError } from '../../core/support/index.js';
import type { DeserializeContext, KrafkaSerde, SerializeContext } from './serde.js';

/** How values of one schema become bytes and are made of them, without the envelope. */
export interface SchemaCodec {
  encode(value: unknown): Buffer | Promise<Buffer>;
  decode(bytes: Buffer): unknown;
}

/** What a schema registry answers. Whoever implements it caches: it is asked once a payload. */
export interface SchemaRegistry {
  /** The schema to write with, and its id. */
  schemaFor(
    value: unknown,
    context: SerializeContext,
  ):
    | { readonly id: number; readonly codec: SchemaCodec }
    | Promise<{ readonly id: number; readonly codec: SchemaCodec }>;
  /** The schema that a payload was written with; undefined when there is none of that id. */
  schemaOf(id: number, context: DeserializeContext): SchemaCodec | undefined | Promise<SchemaCodec | undefined>;
}

const MAGIC = 0;
const ENVELOPE_LENGTH = 5;
const MAX_ID = 0x7fff_ffff;

/**
 * A serde in the envelope of Confluent's wire format: one zero byte, the id of the schema in four bytes, then what the schema's
 * codec writes. What is no such envelope is refused for good; an error of the registry itself may pass.
 */
export const schemaRegistrySerde = (registry: SchemaRegistry): KrafkaSerde => ({
  async serialize(value: unknown, context: SerializeContext): Promise<Buffer> {
    const { id, codec } = await registry.schemaFor(value, context);
    if (!Number.isInteger(id) || id < 0 || id > MAX_ID) {
      throw new KrafkaSerializationError(`the id of a schema is a whole number of 31 bits, not ${String(id)}`);
    }
    const envelope = Buffer.allocUnsafe(ENVELOPE_LENGTH);
    envelope.writeUInt8(MAGIC, 0);
    envelope.writeInt32BE(id, 1);
    return Buffer.concat([envelope, await codec.encode(value)]);
  },
  async deserialize(bytes: Buffer, context: DeserializeContext): Promise<unknown> {
    if (bytes.length < ENVELOPE_LENGTH || bytes[0] !== MAGIC) {
      throw new KrafkaSerializationError(`a payload of '${context.topic}' has no schema envelope`);
    }
    const id = bytes.readInt32BE(1);
    const codec = await registry.schemaOf(id, context);
    if (codec === undefined) {
      throw new KrafkaSerializationError(
        `a payload of '${context.topic}' names the schema ${id}, which there is none of`,
      );
    }
    // Copied, so that a value that keeps a part of it doesn't keep the whole fetch response alive.
    return codec.decode(Buffer.from(bytes.subarray(ENVELOPE_LENGTH)));
  },
});
