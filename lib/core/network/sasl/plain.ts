import type { SaslConversation, SaslMechanism } from './sasl-mechanism.js';

/** PLAIN (RFC 4616): the password itself is sent, so the connection should be TLS. */
export class PlainMechanism implements SaslMechanism {
  readonly name = 'PLAIN';
  readonly #message: Buffer;

  /** `authorizationId` is whom to act as; empty for the user itself. */
  constructor(username: string, password: string, authorizationId = '') {
    this.#message = Buffer.from(`${authorizationId}\0${username}\0${password}`);
  }

  begin(): SaslConversation {
    return { respond: (challenge) => (challenge === undefined ? this.#message : undefined) };
  }
}
