import { KrafkaProtocolError } from '../support/index.js';
import { APIS } from './all-apis.js';
import type { AnswerOf, Api, RequestOf } from './schema/index.js';
import { inVersions } from './schema/index.js';
import { Writer, type Reader } from './wire/index.js';

// A frame is a four-byte length, a header and a body. Requests carry header 1 (API key, version, correlation id, client
// id) or 2 (the same, then tagged fields: KIP-482); responses header 0 (correlation id) or 1 (then tagged fields).

/** The header of a request at this version: 2 in the flexible form, else 1. */
export function requestHeaderVersion(api: Api, version: number): 1 | 2 {
  return inVersions(api.flexible, version) ? 2 : 1;
}

/**
 * The header of a response at this version: 1 in the flexible form, else 0. That of ApiVersions is always 0, because a
 * client that asks for a version the broker does not know must be able to read the answer (KIP-511).
 */
export function responseHeaderVersion(api: Api, version: number): 0 | 1 {
  return api.name !== 'ApiVersions' && inVersions(api.flexible, version) ? 1 : 0;
}

/**
 * A whole request as the chunks of one `writev`; large record batches are among them by reference. Throws an
 * `INVALID_REQUEST` KrafkaProtocolError that names the API and the field when the request can't be said.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export function encodeRequestFrame<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: RequestOf<A>,
): Buffer[] {
  const writer = new Writer();
  writer.int32(0);
  writer.int16(api.key);
  writer.int16(version);
  writer.int32(correlationId);
  // In the old form even in header 2: a broker must be able to read it before it knows the version.
  writeClientId(writer, api, clientId);
  if (requestHeaderVersion(api, version) === 2) writer.unsignedVarint(0);
  api.request.encode(writer, request, version);
  return finishFrame(writer);
}

/** A whole response, as a broker writes it, in the chunks of one `writev`. */
export function encodeResponseFrame<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  answer: AnswerOf<A>,
): Buffer[] {
  const writer = new Writer();
  writer.int32(0);
  writer.int32(correlationId);
  if (responseHeaderVersion(api, version) === 1) writer.unsignedVarint(0);
  api.response.encode(writer, answer, version);
  return finishFrame(writer);
}

/** Who asks for what: the header of a request as a broker reads it. */
export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/**
 * Reads a request's header; `reader` begins behind the frame's length. For an API that is not known here the reader
 * stands at the end of header 1, and what follows can't be told.
 */
export function decodeRequestHeader(reader: Reader): RequestHeader {
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const clientId = reader.string(false);
  const api = APIS.get(apiKey);
  if (api !== undefined && requestHeaderVersion(api, apiVersion) === 2) reader.skipTags();
  return { apiKey, apiVersion, correlationId, clientId };
}

/** Reads a response's header and answers its correlation id; `reader` begins behind the frame's length. */
export function decodeResponseHeader(reader: Reader, api: Api, version: number): number {
  const correlationId = reader.int32();
  if (responseHeaderVersion(api, version) === 1) reader.skipTags();
  return correlationId;
}

function writeClientId(writer: Writer, api: Api, clientId: string | null): void {
  try {
    writer.string(clientId, false);
  } catch (error) {
    throw new KrafkaProtocolError('INVALID_REQUEST', `'clientId' ${(error as Error).message}`, {
      api: api.name,
      cause: error,
    });
  }
}

function finishFrame(writer: Writer): Buffer[] {
  writer.patchInt32(0, writer.length - 4);
  return writer.chunks();
}
