import type { ApiName } from '../api-keys.js';
import { API_KEYS } from '../api-keys.js';
import type { Decoded, Encodable, FieldTable } from './fields.js';
import { messageCodec, type MessageCodec } from './message-codec.js';
import { parseVersions, type VersionRange, type VersionText } from './versions.js';

/** One API of the protocol: its number, the versions spoken here, and the codecs of its two messages. */
export interface Api<RequestIn = unknown, RequestOut = unknown, ResponseIn = unknown, ResponseOut = unknown> {
  readonly name: ApiName;
  readonly key: number;
  readonly versions: VersionRange;
  readonly flexible: VersionRange;
  readonly request: MessageCodec<RequestIn, RequestOut>;
  readonly response: MessageCodec<ResponseIn, ResponseOut>;
  /** The tables the codecs come from: what the tests hold against Kafka's own definitions. */
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

/** What an API is made of: all that is particular to it. */
export interface ApiDefinition<Request extends FieldTable, Response extends FieldTable> {
  readonly name: ApiName;
  /** Every version spoken here. */
  readonly versions: VersionText;
  /** Versions in the compact, tagged form (KIP-482). */
  readonly flexible: VersionText;
  readonly request: Request;
  readonly response: Response;
  /** Hand-written halves of the hot paths, in place of the compiled ones: the same bytes, the same values. */
  readonly requestCodec?: Partial<MessageCodec<Encodable<Request>, Decoded<Request>>>;
  readonly responseCodec?: Partial<MessageCodec<Encodable<Response>, Decoded<Response>>>;
}

/** An API from its tables. */
export function defineApi<const Request extends FieldTable, const Response extends FieldTable>(
  definition: ApiDefinition<Request, Response>,
): Api<Encodable<Request>, Decoded<Request>, Encodable<Response>, Decoded<Response>> {
  const api = definition.name;
  const { request, response, requestCodec, responseCodec } = definition;
  const versions = parseVersions(definition.versions);
  const flexible = parseVersions(definition.flexible);
  return {
    name: api,
    key: API_KEYS[api],
    versions,
    flexible,
    request: messageCodec({ api, message: 'request', versions, flexible, table: request, byHand: requestCodec }),
    response: messageCodec({ api, message: 'response', versions, flexible, table: response, byHand: responseCodec }),
    tables: { request, response },
  };
}
