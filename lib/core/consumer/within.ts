import type { Clock, Deadline } from '../support/index.js';

/** Waits for a promise, but not beyond the deadline: true when it settled in time. Its failure is thrown. */
export async function within(deadline: Deadline, clock: Clock, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  await new Promise<void>((resolve, reject) => {
    const timer = clock.setTimer(deadline.remainingMs, resolve);
    promise.then(
      () => {
        settled = true;
        timer.cancel();
        resolve();
      },
      (error: unknown) => {
        timer.cancel();
        reject(error as Error);
      },
    );
  });
  return settled;
}
