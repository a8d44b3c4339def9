import { onAbort, type Clock, type Deadline } from '../support/index.js';

/**
 * Waits for what others may wait for as well, but no longer than one caller's deadline and interest allow. What is
 * waited for goes on without them.
 */
export function waitFor<T>(
  shared: Promise<T>,
  what: string,
  clock: Clock,
  options: { readonly deadline?: Deadline; readonly signal?: AbortSignal },
): Promise<T> {
  const { deadline, signal } = options;
  if (deadline === undefined && signal === undefined) return shared;
  return new Promise((resolve, reject) => {
    const settle = (settlement: () => void): void => {
      timer?.cancel();
      stopHearing?.();
      settlement();
    };
    const abort = (): void => settle(() => reject(signal?.reason));
    const timer =
      deadline === undefined
        ? undefined
        : clock.setTimer(deadline.remainingMs, () => settle(() => reject(deadline.error(what))));
    const stopHearing = signal && onAbort(signal, abort);
    if (signal?.aborted) abort();
    shared.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
