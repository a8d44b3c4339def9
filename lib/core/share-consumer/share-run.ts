import { KrafkaHandlerError } from '../consumer/index.js';
import {
  aFunction,
  aWhole,
  checkOptions,
  Deferred,
  KrafkaConfigError,
  onAbort,
  oneOf,
  optional,
  withDefault,
  type KrafkaError,
  type OptionRule,
} from '../support/index.js';
import type { ShareDelivery } from './share-delivery.js';
import type { ShareQueue } from './share-queue.js';
import type { ShareRecord } from './share-record.js';

/** What a handler is given beside its record. */
export interface ShareHandlerContext {
  /** Aborted when the consumer closes, or the run ends. */
  readonly signal: AbortSignal;
}

/** Called for one record. With `acknowledgement: 'implicit'` it is accepted when the promise resolves. */
export type ShareRecordHandler = (record: ShareRecord, context: ShareHandlerContext) => void | Promise<void>;

/** How records are handled. */
export interface ShareRunOptions {
  /** Called for each record, in no order that could be relied on. */
  readonly eachRecord: ShareRecordHandler;
  /** How many handlers may be under way at once. Default 1. */
  readonly concurrency?: number | undefined;
  /**
   * What becomes of a record whose handler failed without a verdict. `release`: it is delivered again, up to the group's
   * limit. `reject`: it never is. `fail`: the consumer ends, which releases it. Default 'release'.
   */
  readonly onError?: 'release' | 'reject' | 'fail' | undefined;
  /** Ends the run when it aborts: handlers that are under way end, and the promise of `run` resolves. */
  readonly signal?: AbortSignal | undefined;
}

type ShareRunSettings = Required<Pick<ShareRunOptions, 'eachRecord'>> & {
  readonly concurrency: number;
  readonly onError: 'release' | 'reject' | 'fail';
  readonly signal: AbortSignal | undefined;
};

const aSignal: OptionRule<AbortSignal> = (value, path) => {
  if (!(value instanceof AbortSignal)) throw new KrafkaConfigError(path, 'must be an AbortSignal');
  return value;
};

/**
 * Checks what `run` is told.
 *
 * @throws KrafkaConfigError
 */
export const shareRunSettings = (options: ShareRunOptions): ShareRunSettings =>
  checkOptions<ShareRunSettings>(
    options,
    {
      eachRecord: aFunction<ShareRecordHandler>,
      concurrency: withDefault(aWhole('handlers', 1), 1),
      onError: withDefault(oneOf('release', 'reject', 'fail'), 'release'),
      signal: optional(aSignal),
    },
    '',
  );

export interface ShareRunHost {
  readonly queue: ShareQueue;
  readonly implicit: boolean;
  /** Aborted when the consumer closes. */
  readonly signal: AbortSignal;
  readonly onHandlerFailed: (error: KrafkaHandlerError, fatal: boolean) => void;
  /** The run's own signal ends it: nothing more is taken. */
  readonly onLeaving: () => void;
}

/** Calls a handler for each record, several at once where that is wanted: records of a share group have no order. */
export class ShareRun implements ShareDelivery {
  readonly #settings: ShareRunSettings;
  readonly #host: ShareRunHost;
  readonly #context: ShareHandlerContext;
  readonly #finished = new Deferred<void>();
  #underWay = 0;
  #state: 'running' | 'stopped' | 'finished' = 'running';
  #left = false;
  #drained: Deferred<void> | undefined;
  #unhear: (() => void) | undefined;

  constructor(settings: ShareRunSettings, host: ShareRunHost) {
    this.#settings = settings;
    this.#host = host;
    const { signal } = settings;
    this.#context = { signal: signal === undefined ? host.signal : AbortSignal.any([host.signal, signal]) };
    this.#finished.promise.catch(() => undefined);
    // Not before whoever makes the run has it.
    const abort = (): void => void this.#leave();
    if (signal?.aborted === true) queueMicrotask(abort);
    else this.#unhear = signal && onAbort(signal, abort);
  }

  get isLeft(): boolean {
    return this.#left;
  }

  /** Resolves when the consumer is closed or the run was ended, rejects when the consumer fails. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  ready(): void {
    while (this.#state === 'running' && this.#underWay < this.#settings.concurrency) {
      const record = this.#host.queue.next();
      if (record === undefined) return;
      this.#hand(record);
    }
  }

  stop(): void {
    if (this.#state === 'running') this.#state = 'stopped';
  }

  drained(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    this.#drained ??= new Deferred();
    return this.#drained.promise;
  }

  finish(error: KrafkaError | undefined): void {
    if (this.#state === 'finished') return;
    this.#state = 'finished';
    this.#unhear?.();
    if (error === undefined) this.#finished.resolve();
    else this.#finished.reject(error);
  }

  async #leave(): Promise<void> {
    this.stop();
    this.#host.onLeaving();
    await this.drained();
    this.#left = true;
    this.finish(undefined);
  }

  #hand(record: ShareRecord): void {
    let result: unknown;
    try {
      result = this.#settings.eachRecord(record, this.#context);
    } catch (error) {
      this.#failed(record, error);
      return;
    }
    if (!isThenable(result)) {
      this.#done(record);
      return;
    }
    this.#underWay++;
    result.then(
      () => {
        this.#done(record);
        this.#ended();
      },
      (error: unknown) => {
        this.#failed(record, error);
        this.#ended();
      },
    );
  }

  #done(record: ShareRecord): void {
    // A record that is not ours any more has been told of when its lock expired.
    if (this.#host.implicit && record.isAcquired) record.accept();
  }

  #failed(record: ShareRecord, cause: unknown): void {
    const { onError } = this.#settings;
    if (record.isAcquired) {
      if (onError === 'reject') record.reject();
      else record.release();
    }
    const { topic, partition, offset } = record;
    this.#host.onHandlerFailed(new KrafkaHandlerError({ topic, partition, offset }, cause), onError === 'fail');
  }

  #ended(): void {
    this.#underWay--;
    if (this.#underWay === 0) {
      this.#drained?.resolve();
      this.#drained = undefined;
    }
    this.ready();
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
