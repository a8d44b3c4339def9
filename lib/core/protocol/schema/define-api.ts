import type { ApiName } from '../api-keys.js';
import { API_KEYS } from '../api-keys.js';
import type { Reader, Writer } from '../wire/index.js';
import { compileDecode, compileEncode, type Decode, type Encode } from './codec.js';
import type { Decoded, Encodable, FieldTable } from './fields.js';
import { inVersions, parseVersions, type VersionRange, type VersionText } from './versions.js';

/** One way of a message: writes and reads it at a version. */
export interface MessageCodec<In, Out> {
  encode(writer: Writer, value: In, version: number): void;
  decode(reader: Reader, version: number): Out;
}

/** One API of the protocol: its number, the versions spoken here, and the codecs of its two messages. */
export interface Api<RequestIn = unknown, RequestOut = unknown, ResponseIn = unknown, ResponseOut = unknown> {
  readonly name: ApiName;
  readonly key: number;
  readonly versions: VersionRange;
  readonly flexible: VersionRange;
  readonly request: MessageCodec<RequestIn, RequestOut>;
  readonly response: MessageCodec<ResponseIn, ResponseOut>;
  /** The tables the codecs come from: the parity test reads them. */
  readonly tables: { readonly request: FieldTable; readonly response: FieldTable };
}

/** What a caller gives to send a request of this API. */
export type RequestOf<A> = A extends Api<infer In, infer _RO, infer _RI, infer _O> ? In : never;
/** What a broker reads of a request of this API. */
export type ReceivedRequestOf<A> = A extends Api<infer _In, infer Out, infer _RI, infer _O> ? Out : never;
/** What a broker gives to answer. */
export type AnswerOf<A> = A extends Api<infer _In, infer _RO, infer Answer, infer _O> ? Answer : never;
/** What a caller gets back. */
export type ResponseOf<A> = A extends Api<infer _In, infer _RO, infer _RI, infer Out> ? Out : never;

export interface ApiDefinition<Request extends FieldTable, Response extends FieldTable> {
  readonly name: ApiName;
  /** Every version spoken here. */
  readonly versions: VersionText;
  /** Versions in the compact, tagged form (KIP-482). */
  readonly flexible: VersionText;
  readonly request: Request;
  readonly response: Response;
  /** Hand-written codecs of the hot paths, in place of the compiled ones. */
  readonly requestCodec?: MessageCodec<Encodable<Request>, Decoded<Request>>;
  readonly responseCodec?: MessageCodec<Encodable<Response>, Decoded<Response>>;
}

/** An API from its tables; each version is compiled when it is first spoken, and kept. */
export function defineApi<const Request extends FieldTable, const Response extends FieldTable>(
  definition: ApiDefinition<Request, Response>,
): Api<Encodable<Request>, Decoded<Request>, Encodable<Response>, Decoded<Response>> {
  const versions = parseVersions(definition.versions);
  const flexible = parseVersions(definition.flexible);
  const codec = <Table extends FieldTable>(
    table: Table,
    side: string,
  ): MessageCodec<Encodable<Table>, Decoded<Table>> =>
    compiledCodec(table, versions, flexible, `${definition.name} ${side}`);
  return {
    name: definition.name,
    key: API_KEYS[definition.name],
    versions,
    flexible,
    request: definition.requestCodec ?? codec(definition.request, 'request'),
    response: definition.responseCodec ?? codec(definition.response, 'response'),
    tables: { request: definition.request, response: definition.response },
  };
}

/** A codec compiled from a table, version by version as they are asked for. */
export function compiledCodec<Table extends FieldTable>(
  table: Table,
  versions: VersionRange,
  flexible: VersionRange,
  what: string,
): MessageCodec<Encodable<Table>, Decoded<Table>> {
  const encoders = new Map<number, Encode<Record<string, unknown>>>();
  const decoders = new Map<number, Decode<Record<string, unknown>>>();
  const check = (version: number): void => {
    if (!inVersions(versions, version)) throw new RangeError(`${what} has no version ${version}`);
  };
  return {
    encode(writer, value, version) {
      let encode = encoders.get(version);
      if (encode === undefined) {
        check(version);
        encode = compileEncode(table, version, flexible);
        encoders.set(version, encode);
      }
      encode(writer, value as Record<string, unknown>);
    },
    decode(reader, version) {
      let decode = decoders.get(version);
      if (decode === undefined) {
        check(version);
        decode = compileDecode(table, version, flexible);
        decoders.set(version, decode);
      }
      return decode(reader) as Decoded<Table>;
    },
  };
}
