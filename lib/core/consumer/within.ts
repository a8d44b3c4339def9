import { Deferred, type Clock, type Deadline, type Timer } from '../support/index.js';

/** Waits for a promise, but not beyond the deadline: true when it settled in time. Its failure is thrown. */
export async function within(deadline: Deadline, clock: Clock, promise: Promise<unknown>): Promise<boolean> {
  const { promise: passed, timer } = passing(deadline, clock);
  try {
    return await Promise.race([promise.then(() => true), passed]);
  } finally {
    timer.cancel();
  }
}

function passing(deadline: Deadline, clock: Clock): { readonly promise: Promise<false>; readonly timer: Timer } {
  const { promise, resolve } = new Deferred<false>();
  return { promise, timer: clock.setTimer(deadline.remainingMs, () => resolve(false)) };
}

/** Waits for a promise, but not beyond the signal: then its reason is thrown, and nobody hears how the promise ends. */
export async function waitFor<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = new Deferred<never>();
  const abort = (): void => aborted.reject(signal.reason);
  promise.catch(() => undefined);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
