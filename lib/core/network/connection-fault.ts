import { KrafkaAuthenticationError, KrafkaConnectionError, KrafkaError } from '../support/index.js';

/** Why OpenSSL would not believe a certificate, as Node names it in an error's code. */
const UNVERIFIED =
  /^(ERR_TLS_CERT_|CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_|HOSTNAME_MISMATCH$)/;

/** The peer ended the TLS handshake because of what we showed, or did not show. */
const REFUSED = /^ERR_SSL_.*ALERT_(.*CERTIFICATE.*|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED|PROTOCOL_VERSION)$/;

/** The peer answered a TLS handshake with something that is no TLS. */
const NO_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|INVALID_RECORD|UNEXPECTED_MESSAGE)$/;

/**
 * What an error of the network means for whoever wanted the connection: an unverifiable certificate or a refused one is
 * a KrafkaAuthenticationError, everything else a KrafkaConnectionError, retriable unless the peer is the wrong kind.
 */
export function connectionFault(address: string, doing: string, error: unknown): KrafkaError {
  if (error instanceof KrafkaError) return error;
  const code = codeOf(error);
  if (UNVERIFIED.test(code)) {
    return new KrafkaAuthenticationError(address, `its certificate can't be verified: ${describeFault(error)}`, error);
  }
  if (REFUSED.test(code)) {
    return new KrafkaAuthenticationError(
      address,
      `the broker refused the TLS handshake: ${describeFault(error)}`,
      error,
    );
  }
  if (NO_TLS.test(code)) {
    return new KrafkaConnectionError(
      address,
      "the peer does not speak TLS; is this a plain listener, or the option 'tls' set by mistake?",
      { code: 'NOT_TLS', retriable: false, cause: error },
    );
  }
  return new KrafkaConnectionError(address, `${doing} failed: ${describeFault(error)}`, { cause: error });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** An error in a few words. The attempts of happy eyeballs come as one error without a message of its own. */
function describeFault(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(describeFault))].join('; ');
  if (!(error instanceof Error)) return String(error);
  const { reason } = error as { reason?: unknown };
  // OpenSSL's own message is full of file names and addresses; Node takes the meaning out of it.
  if (typeof reason === 'string') return reason;
  const code = codeOf(error);
  if (error.message.includes(code)) return error.message;
  return error.message === '' ? code : `${code}: ${error.message}`;
}

/** True for the ways in which a peer's end of a connection just goes away. */
export function hungUp(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE', 'ECONNABORTED'].includes(codeOf(error));
}

/** What those are told whose requests were not to blame: trying again may help. */
export function siblingsError(error: KrafkaError, address: string): KrafkaError {
  if (error instanceof KrafkaConnectionError && error.retriable) return error;
  return new KrafkaConnectionError(address, `the connection was closed: ${error.message}`, { cause: error });
}

/** What the one is told whose answer was being read. */
export function oldestError(error: KrafkaError, address: string): KrafkaError {
  return error instanceof KrafkaConnectionError ? error : siblingsError(error, address);
}
