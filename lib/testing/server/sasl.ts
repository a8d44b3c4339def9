import {
  ERROR_CODES,
  SaslAuthenticate,
  SaslHandshake,
  type AnswerOf,
  type ApiName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { Random } from '../../core/support/index.js';
import type { SaslGate } from './sasl-gate.js';
import { newSaslExchange, type SaslExchange } from './sasl-exchange.js';

/** How clients authenticate at an embedded broker. */
export interface EmbeddedSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
}

type GateState =
  | { readonly kind: 'handshake' }
  | { readonly kind: 'exchange'; readonly exchange: SaslExchange; readonly framed: boolean }
  | { readonly kind: 'open'; readonly user: string }
  | { readonly kind: 'failed' };

/** The gate of a new connection; none where clients need not authenticate. */
export function newSaslGate(sasl: EmbeddedSasl | undefined, random: Random): SaslGate | undefined {
  return sasl === undefined ? undefined : new MechanismGate(sasl, random);
}

/** Lets a connection through once its client has proved who it is, and again when it proves so anew (KIP-368). */
class MechanismGate implements SaslGate {
  readonly #sasl: EmbeddedSasl;
  readonly #random: Random;
  #state: GateState = { kind: 'handshake' };
  #user: string | undefined;

  constructor(sasl: EmbeddedSasl, random: Random) {
    this.#sasl = sasl;
    this.#random = random;
  }

  get failed(): boolean {
    return this.#state.kind === 'failed';
  }

  rawToken(frame: Buffer): Buffer | undefined {
    if (this.#state.kind !== 'exchange' || this.#state.framed) return undefined;
    const step = this.#step(this.#state.exchange, frame);
    // Without a Kafka header there is no way to say what failed.
    return step ?? Buffer.alloc(0);
  }

  admits(api: ApiName): boolean {
    switch (this.#state.kind) {
      case 'handshake':
        return api === 'ApiVersions' || api === 'SaslHandshake';
      case 'exchange':
        return api === 'SaslAuthenticate';
      case 'open':
        return true;
      case 'failed':
        return false;
    }
  }

  serve(api: ApiName, request: unknown, scope: { readonly version: number }): unknown {
    if (api === 'SaslHandshake') {
      return this.#handshake(request as ReceivedRequestOf<typeof SaslHandshake>, scope.version);
    }
    if (api === 'SaslAuthenticate') return this.#authenticate(request as ReceivedRequestOf<typeof SaslAuthenticate>);
    return undefined;
  }

  #handshake({ mechanism }: ReceivedRequestOf<typeof SaslHandshake>, version: number): AnswerOf<typeof SaslHandshake> {
    const mechanisms = [this.#sasl.mechanism];
    if (mechanism !== this.#sasl.mechanism) {
      this.#state = { kind: 'failed' };
      return { errorCode: ERROR_CODES.UNSUPPORTED_SASL_MECHANISM, mechanisms };
    }
    const exchange = newSaslExchange(this.#sasl.mechanism, this.#sasl.users, this.#random);
    this.#state = { kind: 'exchange', exchange, framed: version > 0 };
    return { errorCode: ERROR_CODES.NONE, mechanisms };
  }

  #authenticate({ authBytes }: ReceivedRequestOf<typeof SaslAuthenticate>): AnswerOf<typeof SaslAuthenticate> {
    if (this.#state.kind !== 'exchange') {
      return refused('ILLEGAL_SASL_STATE', 'SaslAuthenticate request received after successful authentication');
    }
    const { mechanism } = this.#sasl;
    const token = this.#step(this.#state.exchange, authBytes);
    if (token !== undefined) {
      return { errorCode: ERROR_CODES.NONE, errorMessage: null, authBytes: token, sessionLifetimeMs: 0 };
    }
    const why =
      mechanism === 'PLAIN'
        ? 'Authentication failed: Invalid username or password'
        : `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`;
    return refused('SASL_AUTHENTICATION_FAILED', why);
  }

  /** The broker's next token; undefined when the client has failed. */
  #step(exchange: SaslExchange, token: Buffer): Buffer | undefined {
    const step = exchange.step(token);
    if (step.kind === 'failed') {
      this.#state = { kind: 'failed' };
      return undefined;
    }
    if (step.kind === 'done') {
      // Who has been let in may not become somebody else on the same connection.
      if (this.#user !== undefined && this.#user !== step.user) {
        this.#state = { kind: 'failed' };
        return undefined;
      }
      this.#user = step.user;
      this.#state = { kind: 'open', user: step.user };
    }
    return step.token;
  }
}

const refused = (
  error: 'ILLEGAL_SASL_STATE' | 'SASL_AUTHENTICATION_FAILED',
  errorMessage: string,
): AnswerOf<typeof SaslAuthenticate> => ({
  errorCode: ERROR_CODES[error],
  errorMessage,
  authBytes: Buffer.alloc(0),
});
