/** Whom a {@link SaslConversation} is held with, and what it may use. */
export interface SaslContext {
  /** The broker's address, for errors. */
  readonly address: string;
  /** Bytes for nonces. */
  readonly randomBytes: (length: number) => Buffer;
  /** Aborted when the attempt to connect is given up. */
  readonly signal: AbortSignal;
}

/** One authentication of one connection: what to say to each challenge. */
export interface SaslConversation {
  /**
   * The first message when `challenge` is undefined, afterwards the answer to each challenge; undefined when nothing is
   * left to say, which is when the mechanism is satisfied with the broker. Throws when it is not.
   */
  respond(challenge: Buffer | undefined): Buffer | undefined | Promise<Buffer | undefined>;
}

/** A way of proving to a broker who we are. One for all connections of a config; it keeps its secrets to itself. */
export interface SaslMechanism {
  /** As Kafka names it: `SCRAM-SHA-512`. */
  readonly name: string;
  /** Begins an authentication; every connection, and every renewal of a session (KIP-368), has its own. */
  begin(context: SaslContext): SaslConversation;
}
