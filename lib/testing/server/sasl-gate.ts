import type { ApiName } from '../../core/protocol/index.js';
import type { RequestScope } from '../apis/served-api.js';

/** What stands between a connection and the broker until the client has said who it is. */
export interface SaslGate {
  /** True once the exchange has failed: the connection ends behind the answer. */
  readonly failed: boolean;
  /** A frame that is a token of the mechanism without a Kafka header (SaslHandshake v0): the broker's token back. */
  rawToken(frame: Buffer): Buffer | undefined;
  /** Whether a request of this API may be served in the present state. */
  admits(api: ApiName): boolean;
  /** Answers the requests of the exchange itself; undefined for all others. */
  serve(api: ApiName, request: unknown, scope: RequestScope): unknown;
}
