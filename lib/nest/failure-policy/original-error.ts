import { BaseRpcExceptionFilter } from '@nestjs/microservices';

/** Shared by every copy of this library in the process: the filter is remembered with it. */
const ORIGINALS = Symbol.for('nestjs-krafka:original-errors');

type Catch = BaseRpcExceptionFilter['catch'];
interface RememberingFilter {
  catch: Catch;
  [ORIGINALS]?: WeakMap<object, unknown>;
}

const filter = (): RememberingFilter => BaseRpcExceptionFilter.prototype as RememberingFilter;

/**
 * Lets {@link originalError} find what a handler really threw.
 *
 * Nest's last filter turns every error but an RpcException into `{ status: 'error', message: 'Internal server error' }`. That
 * is right for a caller, but a dead letter must say what happened, and whether a retry can help shows in the error alone. No
 * filter or interceptor of ours could see it: a filter would stand in front of the application's own, and interceptors run
 * after guards and cost every record. So the filter itself remembers, on its failing path only. Its answer stays the same.
 */
export function rememberOriginalErrors(): void {
  const prototype = filter();
  if (prototype[ORIGINALS] !== undefined) return;
  const originals = new WeakMap<object, unknown>();
  // It is given its `this` below.
  // oxlint-disable-next-line typescript/unbound-method
  const answer = prototype.catch;
  prototype.catch = function (this: BaseRpcExceptionFilter, exception, host): ReturnType<Catch> {
    const context: unknown = host.getArgByIndex(1);
    if (typeof context === 'object' && context !== null) originals.set(context, exception);
    return answer.call(this, exception, host);
  };
  Object.defineProperty(prototype, ORIGINALS, { value: originals });
}

/** What the handler that was called with this context threw, where Nest's last filter saw it; else what came out of it. */
export function originalError(context: object, outcome: unknown): unknown {
  const originals = filter()[ORIGINALS];
  return originals?.has(context) === true ? originals.get(context) : outcome;
}
