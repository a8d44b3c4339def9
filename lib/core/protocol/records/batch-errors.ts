import { KrafkaError, KrafkaProtocolError } from '../../support/index.js';

/** Where a batch was read, for the error that names it. */
export interface BatchPlace {
  readonly topic?: string;
  readonly partition?: number;
}

/** The batch breaks the format: it cannot be read, and nothing of it is handed out. */
export function malformedBatch(problem: string, place?: BatchPlace, cause?: unknown): KrafkaProtocolError {
  return new KrafkaProtocolError('MALFORMED', problem, { topic: place?.topic, partition: place?.partition, cause });
}

/** The same failure with the place it happened in, when it does not name one yet. */
export function atPlace(error: unknown, place: BatchPlace, what: string): KrafkaError {
  if (!(error instanceof KrafkaError)) {
    return malformedBatch(`${what}: ${error instanceof Error ? error.message : String(error)}`, place, error);
  }
  if (!(error instanceof KrafkaProtocolError) || error.topic !== undefined || place.topic === undefined) return error;
  return new KrafkaProtocolError(error.code, `${what}: ${error.message}`, {
    topic: place.topic,
    partition: place.partition,
    retriable: error.retriable,
    cause: error,
  });
}
