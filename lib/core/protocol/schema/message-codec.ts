import { KrafkaProtocolError } from '../../support/index.js';
import { Writer, type Reader } from '../wire/index.js';
import { compileDecode, type Decode } from './decode.js';
import { compileEncode, type Encode } from './encode.js';
import { FieldError, problemOf } from './field-error.js';
import type { Decoded, Encodable, FieldTable } from './fields.js';
import { inVersions, type VersionRange } from './versions.js';

/** One way of a message: writes and reads it at a version. */
export interface MessageCodec<In, Out> {
  /**
   * Throws a KrafkaProtocolError that names the field: `INVALID_REQUEST` (or `INVALID_RESPONSE`) when the value is not
   * one, `UNSUPPORTED_VERSION` when this version can't say it. What was written until then is to be thrown away.
   */
  encode(writer: Writer, value: In, version: number): void;
  /**
   * Throws a KrafkaProtocolError `MALFORMED` that names the field. Bytes behind the message are left alone, as the Java
   * client leaves them: the reader then stands before them.
   */
  decode(reader: Reader, version: number): Out;
}

/** What a codec is made of. */
export interface MessageDefinition<Table extends FieldTable> {
  /** The API it belongs to, for errors. */
  readonly api?: string;
  /** What it is called in errors, such as `request`. */
  readonly message: string;
  readonly versions: VersionRange;
  readonly flexible: VersionRange;
  readonly table: Table;
  /** Hand-written halves of a hot path, in place of the compiled ones: the same bytes, the same values. */
  readonly byHand?: Partial<MessageCodec<Encodable<Table>, Decoded<Table>>> | undefined;
}

/** A codec from a table; each version is compiled when it is first spoken, and kept. */
export function messageCodec<Table extends FieldTable>(
  definition: MessageDefinition<Table>,
): MessageCodec<Encodable<Table>, Decoded<Table>> {
  const { table, flexible, byHand } = definition;
  const encoders: Encode<unknown>[] = [];
  const decoders: Decode<unknown>[] = [];
  const encodeByTable = (writer: Writer, value: unknown, version: number): void => {
    const encode = (encoders[version] ??= compileEncode(table, version, flexible));
    encode(writer, value);
  };
  const decodeByTable = (reader: Reader, version: number): Decoded<Table> => {
    const decode = (decoders[version] ??= compileDecode(table, version, flexible));
    return decode(reader) as Decoded<Table>;
  };
  return {
    encode(writer, value, version) {
      checkVersion(definition, version);
      try {
        (byHand?.encode ?? encodeByTable)(writer, value, version);
      } catch (error) {
        // What is written by hand need not know where it stands: the table finds the field.
        throw notEncoded(
          definition,
          version,
          byHand?.encode ? thrownBy(() => encodeByTable(new Writer(), value, version), error) : error,
        );
      }
    },
    decode(reader, version) {
      checkVersion(definition, version);
      const start = reader.position;
      try {
        return (byHand?.decode ?? decodeByTable)(reader, version);
      } catch (error) {
        reader.position = start;
        throw notDecoded(
          definition,
          version,
          byHand?.decode ? thrownBy(() => decodeByTable(reader, version), error) : error,
        );
      }
    },
  };
}

function thrownBy(run: () => void, otherwise: unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return otherwise;
}

function checkVersion({ api, message, versions }: MessageDefinition<FieldTable>, version: number): void {
  if (Number.isInteger(version) && inVersions(versions, version)) return;
  throw new KrafkaProtocolError(
    'UNSUPPORTED_VERSION',
    `the ${message} has no version ${version} here, only ${versions.from} to ${versions.to}`,
    { api },
  );
}

function notEncoded(definition: MessageDefinition<FieldTable>, version: number, error: unknown): KrafkaProtocolError {
  const { api, message } = definition;
  const unsupported = error instanceof FieldError && error.unsupported;
  const code = unsupported ? 'UNSUPPORTED_VERSION' : message === 'response' ? 'INVALID_RESPONSE' : 'INVALID_REQUEST';
  return new KrafkaProtocolError(code, `version ${version} of the ${message}: ${inWords(error)}`, {
    api,
    cause: error,
  });
}

function notDecoded(definition: MessageDefinition<FieldTable>, version: number, error: unknown): KrafkaProtocolError {
  const { api, message } = definition;
  return new KrafkaProtocolError('MALFORMED', `version ${version} of the ${message}: ${inWords(error)}`, {
    api,
    cause: error,
  });
}

function inWords(error: unknown): string {
  const problem = problemOf(error);
  return error instanceof FieldError && error.path !== '' ? `'${error.path}' ${problem}` : problem;
}
