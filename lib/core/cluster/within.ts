import { onAbort, type Clock } from '../support/index.js';
import type { WaitOptions } from './shared-lookups.js';

/** The outcome of work that others may share, for somebody with less time: the work goes on, only the waiting ends. */
export function within<T>(
  clock: Clock,
  { deadline, signal }: WaitOptions,
  waitedFor: string,
  work: Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      stopHearing?.();
    };
    const abort = (): void => {
      stop();
      reject(signal?.reason as Error);
    };
    const stopHearing = signal && onAbort(signal, abort);
    const timer = clock.setTimer(deadline.remainingMs, () => {
      stop();
      reject(deadline.error(waitedFor));
    });
    const settle = async (): Promise<void> => {
      try {
        const value = await work;
        stop();
        resolve(value);
      } catch (error) {
        stop();
        reject(error);
      }
    };
    void settle();
    if (signal?.aborted) abort();
  });
}
