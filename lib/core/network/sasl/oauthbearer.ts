import type { SaslContext, SaslConversation, SaslMechanism } from './sasl-mechanism.js';

/** A token as a provider gives it. */
export interface OAuthBearerToken {
  readonly value: string;
  /** SASL extensions to send with this token (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** Gives a token that is valid now; `signal` is aborted when the attempt to connect is given up. */
export type OAuthBearerTokenProvider = (
  signal: AbortSignal,
) => OAuthBearerToken | string | Promise<OAuthBearerToken | string>;

/** The provider of tokens failed: that says nothing about who we are, and another attempt may do. */
export class TokenProviderError extends Error {}

/** Divides the parts of the message (RFC 7628), and alone is the answer to a refusal. */
const SEPARATOR = '\u0001';

/** OAUTHBEARER (RFC 7628, KIP-255): a token, asked of its provider at every authentication. */
export class OAuthBearerMechanism implements SaslMechanism {
  readonly name = 'OAUTHBEARER';
  readonly #tokenProvider: OAuthBearerTokenProvider;
  readonly #extensions: Readonly<Record<string, string>>;

  constructor(tokenProvider: OAuthBearerTokenProvider, extensions: Readonly<Record<string, string>> = {}) {
    this.#tokenProvider = tokenProvider;
    this.#extensions = extensions;
  }

  begin(context: SaslContext): SaslConversation {
    return {
      respond: async (challenge) => {
        if (challenge === undefined) return this.#message(context.signal);
        // A challenge is a refusal in JSON; the broker says what it means once it has had its answer.
        return challenge.length === 0 ? undefined : Buffer.from(SEPARATOR);
      },
    };
  }

  async #message(signal: AbortSignal): Promise<Buffer> {
    let given: OAuthBearerToken | string;
    try {
      given = await this.#tokenProvider(signal);
    } catch (error) {
      throw new TokenProviderError('the token provider failed', { cause: error });
    }
    const token = typeof given === 'string' ? { value: given } : given;
    if (typeof token?.value !== 'string' || !/^[\x21-\x7e]+$/.test(token.value)) {
      throw new TokenProviderError('the token provider gave no token: a string, or an object with a string `value`');
    }
    const extensions = { ...this.#extensions, ...token.extensions };
    checkExtensions(extensions);
    const parts = [
      `auth=Bearer ${token.value}`,
      ...Object.entries(extensions).map(([name, value]) => `${name}=${value}`),
    ];
    return Buffer.from(`n,,${SEPARATOR}${parts.join(SEPARATOR)}${SEPARATOR}${SEPARATOR}`);
  }
}

/** Throws a TokenProviderError that names the extension which can't be sent, never its value. */
export function checkExtensions(extensions: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(extensions)) {
    if (!/^[A-Za-z]+$/.test(name) || name === 'auth') throw new TokenProviderError(`'${name}' can't name an extension`);
    if (typeof value !== 'string' || !/^[\x21-\x7e \t\r\n]+$/.test(value)) {
      throw new TokenProviderError(`the extension '${name}' has a value that can't be sent`);
    }
  }
}
