import type { OAuthBearerTokenProvider } from './oauthbearer.js';
import type { SaslMechanism } from './sasl-mechanism.js';

type AnyCase<Name extends string> = Name | Uppercase<Name>;

/** A user name and password, sent as they are (`plain`: use TLS) or proved without sending them (`scram-sha-*`). */
export interface PasswordSaslOptions {
  readonly mechanism: AnyCase<'plain' | 'scram-sha-256' | 'scram-sha-512'>;
  readonly username: string;
  readonly password: string;
  /** Whom to act as, when that is somebody other than `username`. */
  readonly authorizationId?: string;
}

/** A bearer token (KIP-255), asked for anew at every authentication. */
export interface OAuthBearerSaslOptions {
  readonly mechanism: AnyCase<'oauthbearer'>;
  readonly tokenProvider: OAuthBearerTokenProvider;
  /** SASL extensions of every token (KIP-342); those of a token itself win. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** Who we are to the brokers: a built-in mechanism's options, or a mechanism of one's own. */
export type SaslOptions = PasswordSaslOptions | OAuthBearerSaslOptions | SaslMechanism;
