import { ApiVersions, decodeResponseHeader, ERROR_CODES, Reader, type Api } from '../protocol/index.js';
import { KrafkaProtocolError } from '../support/index.js';

/** What an answer is held against: the oldest request that has none. */
export interface Question {
  readonly api: Api;
  readonly version: number;
  readonly correlationId: number;
}

/**
 * Reads a frame as the answer to a question.
 *
 * A broker that does not know the asked version of ApiVersions answers UNSUPPORTED_VERSION in version 0, whatever it
 * was asked in (KIP-511). Throws KrafkaProtocolError (`MALFORMED`) for anything that is no answer to the question.
 */
export function readAnswer(frame: Buffer, question: Question, address: string): unknown {
  const { api, version } = question;
  const reader = new Reader(frame);
  try {
    const correlationId = decodeResponseHeader(reader, api, version);
    if (correlationId !== question.correlationId) {
      throw new Error(`the answer to request ${correlationId} came where that to ${question.correlationId} was due`);
    }
    return api.response.decode(reader, speaksVersion0(api, frame, reader.position) ? 0 : version);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new KrafkaProtocolError('MALFORMED', `the answer can't be read: ${problem}`, {
      api: `${api.name} v${version}`,
      address,
      cause: error,
    });
  }
}

function speaksVersion0(api: Api, frame: Buffer, position: number): boolean {
  return (
    api.key === ApiVersions.key &&
    frame.length >= position + 2 &&
    frame.readInt16BE(position) === ERROR_CODES.UNSUPPORTED_VERSION
  );
}
