import type { Observable, Unsubscribable } from 'rxjs';
import { KrafkaClosedError, type Logger } from '../../core/support/index.js';

/** Ends a stream that nobody waits for any more. */
export type LetGo = () => void;

/** The streams that handlers returned, until they end: those that are left are let go when closing waits no longer. */
export interface OpenStreams {
  hold(letGo: LetGo): void;
  release(letGo: LetGo): void;
}

/** What became of a stream that was let go. */
export const letGoAtClose = (): KrafkaClosedError => new KrafkaClosedError('the KrafkaServer');

/** Settles as the stream ends. */
export const completion = (stream: Observable<unknown>, streams: OpenStreams, logger: Logger): Promise<void> =>
  new Promise((resolve, reject) => {
    const letGo = (): void => {
      stop(subscription, logger);
      reject(letGoAtClose());
    };
    const subscription = stream.subscribe({
      complete: () => {
        streams.release(letGo);
        resolve();
      },
      error: (error) => {
        streams.release(letGo);
        reject(error);
      },
    });
    if (!subscription.closed) streams.hold(letGo);
  });

/** Ends a subscription. What its teardown throws is told to the log. */
export function stop(subscription: Unsubscribable, logger: Logger): void {
  try {
    subscription.unsubscribe();
  } catch (error) {
    logger.error('the stream of a handler could not be stopped', { error });
  }
}
