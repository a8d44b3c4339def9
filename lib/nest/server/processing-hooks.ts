import type { BaseRpcContext, TransportId } from '@nestjs/microservices';

/** Nest's hooks around the processing of a message: instrumentation opens and closes its spans there. */
export interface ProcessingHooks {
  readonly transportId: TransportId;
  readonly onStart:
    ((transportId: TransportId, context: BaseRpcContext, done: () => Promise<unknown>) => void) | undefined;
  readonly onEnd: ((transportId: TransportId, context: BaseRpcContext) => void) | undefined;
}

const nothing = (): void => undefined;

/**
 * Runs `work` between the hooks and settles as it does. `work` calls the function it is given when the processing has
 * ended, which may be later than it returns: the end hook runs then, and once only. A failure of `work` ends it too. An end
 * hook that throws is warned of.
 */
export function betweenHooks(
  hooks: ProcessingHooks,
  context: BaseRpcContext,
  work: (end: () => void) => Promise<void>,
): Promise<void> {
  const { transportId, onStart, onEnd } = hooks;
  if (onStart === undefined && onEnd === undefined) return work(nothing);
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    try {
      onEnd?.(transportId, context);
    } catch (error) {
      // The message was processed all the same: it must not count as failed.
      process.emitWarning(`a processing end hook threw: ${String(error)}`, 'KrafkaHookWarning');
    }
  };
  return new Promise<void>((resolve, reject) => {
    const done = async (): Promise<void> => {
      try {
        await work(end);
        resolve();
      } catch (error) {
        end();
        reject(error);
      }
    };
    if (onStart === undefined) void done();
    else onStart(transportId, context, done);
  });
}
