import {
  ERROR_CODES,
  protocolError,
  SaslAuthenticate,
  SaslHandshake,
  type ResponseOf,
  type RequestOf,
} from '../../protocol/index.js';
import { KrafkaAuthenticationError, KrafkaConnectionError, KrafkaError } from '../../support/index.js';
import { TokenProviderError } from './oauthbearer.js';
import type { SaslContext, SaslConversation, SaslMechanism } from './sasl-mechanism.js';

/** No mechanism needs more rounds; a broker that does is not let go on for ever. */
const MOST_ROUNDS = 16;

/** Sends the two requests of an authentication. */
export interface SaslExchange {
  handshake(request: RequestOf<typeof SaslHandshake>): Promise<ResponseOf<typeof SaslHandshake>>;
  authenticate(request: RequestOf<typeof SaslAuthenticate>): Promise<ResponseOf<typeof SaslAuthenticate>>;
}

/**
 * Proves to a broker who we are (KIP-43, KIP-152) and answers for how long it believes that, in milliseconds; 0 for as
 * long as the connection lives (KIP-368).
 *
 * Throws KrafkaAuthenticationError, naming address and mechanism, when one side does not accept the other; what the
 * network or a token provider did is a KrafkaConnectionError.
 */
export async function authenticate(
  mechanism: SaslMechanism,
  context: SaslContext,
  exchange: SaslExchange,
): Promise<number> {
  const { address } = context;
  const handshake = await exchange.handshake({ mechanism: mechanism.name });
  if (handshake.errorCode !== 0) throw refusedHandshake(handshake, mechanism, address);
  const conversation = mechanism.begin(context);
  let challenge: Buffer | undefined;
  let sessionLifetimeMs = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const message = await respond(conversation, challenge, mechanism, address);
    if (message === undefined) return sessionLifetimeMs;
    const answer = await exchange.authenticate({ authBytes: message });
    if (answer.errorCode !== 0) throw refused(answer, mechanism, address);
    challenge = answer.authBytes;
    sessionLifetimeMs = answer.sessionLifetimeMs;
  }
  throw new KrafkaAuthenticationError(address, `${mechanism.name}: the broker does not come to an end`);
}

async function respond(
  conversation: SaslConversation,
  challenge: Buffer | undefined,
  mechanism: SaslMechanism,
  address: string,
): Promise<Buffer | undefined> {
  try {
    return await conversation.respond(challenge);
  } catch (error) {
    if (error instanceof KrafkaError) throw error;
    const problem = `${mechanism.name}: ${error instanceof Error ? error.message : 'the mechanism failed'}`;
    if (error instanceof TokenProviderError) {
      throw new KrafkaConnectionError(address, problem, { code: 'TOKEN_PROVIDER', cause: error.cause });
    }
    throw new KrafkaAuthenticationError(address, problem, error);
  }
}

function refusedHandshake(
  answer: ResponseOf<typeof SaslHandshake>,
  mechanism: SaslMechanism,
  address: string,
): KrafkaError {
  switch (answer.errorCode) {
    case ERROR_CODES.UNSUPPORTED_SASL_MECHANISM:
      return new KrafkaAuthenticationError(
        address,
        `the broker does not take ${mechanism.name}; it takes ${answer.mechanisms.join(', ') || 'none'}`,
      );
    case ERROR_CODES.ILLEGAL_SASL_STATE:
      return new KrafkaAuthenticationError(
        address,
        `the broker does not take ${mechanism.name} here; is this a listener without SASL?`,
      );
    default:
      return protocolError(answer.errorCode, { api: 'SaslHandshake', address });
  }
}

function refused(answer: ResponseOf<typeof SaslAuthenticate>, mechanism: SaslMechanism, address: string): KrafkaError {
  const detail = answer.errorMessage === null ? '' : ` (${answer.errorMessage})`;
  switch (answer.errorCode) {
    case ERROR_CODES.SASL_AUTHENTICATION_FAILED:
    case ERROR_CODES.ILLEGAL_SASL_STATE:
    case ERROR_CODES.UNSUPPORTED_SASL_MECHANISM:
      return new KrafkaAuthenticationError(address, `the broker refused our ${mechanism.name} credentials${detail}`);
    default:
      return protocolError(answer.errorCode, {
        api: 'SaslAuthenticate',
        address,
        detail: answer.errorMessage ?? undefined,
      });
  }
}
