import { Deferred, type Clock, type Deadline, type Timer } from '../support/index.js';

/**
 * Waits for a promise, but not beyond the deadline, wherever that comes to be: true when it settled in time. Its failure is
 * thrown.
 */
export async function within(deadline: Deadline, clock: Clock, promise: Promise<unknown>): Promise<boolean> {
  const passed = new Deferred<false>();
  const alarm = (): Timer => clock.setTimer(deadline.remainingMs, () => passed.resolve(false));
  let timer = alarm();
  const unhear = deadline.onTightened(() => {
    timer.cancel();
    timer = alarm();
  });
  try {
    return await Promise.race([promise.then(() => true), passed.promise]);
  } finally {
    timer.cancel();
    unhear();
  }
}
