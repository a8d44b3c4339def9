/** A token as a provider gives it. */
export interface OAuthBearerToken {
  readonly value: string;
  /** SASL extensions to send with this token (KIP-342). */
  readonly extensions?: Readonly<Record<string, string>>;
}
