import { errorName, isRetriable, isStaleMetadata, type ErrorName } from '../../protocol/index.js';

/** What a broker's answer for one batch means for it. */
export type Verdict =
  /** It is written. `duplicate`: by an earlier attempt, the broker does not remember where. */
  | { readonly kind: 'written'; readonly duplicate: boolean }
  /** It is sent again. */
  | {
      readonly kind: 'retry';
      /** Whether it may have been written all the same. */
      readonly ambiguous: boolean;
      /** Whether the metadata that led to this broker is stale. */
      readonly stale: boolean;
      /** Whether the partition's sequence numbers have to start again before. */
      readonly restart: boolean;
    }
  /** It is too large for the broker, and goes on as two. */
  | { readonly kind: 'split' }
  /** It failed for good; `ambiguous` as above. */
  | { readonly kind: 'failed'; readonly ambiguous: boolean; readonly stale: boolean };

/** What a verdict depends on besides the error. */
export interface JudgedBatch {
  readonly recordCount: number;
  /** Whether it carries a sequence. */
  readonly stamped: boolean;
  /** Whether it is the oldest of its partition that is unresolved. */
  readonly oldest: boolean;
  /** Whether an earlier attempt may have been written. */
  readonly ambiguous: boolean;
  /** Whether it is a piece of a batch that may have been written whole, which no broker knows again by a piece of it. */
  readonly pieceOfAmbiguous: boolean;
  /** Whether it is part of a transaction, within which numbers can't start again: it fails, and the transaction with it. */
  readonly transactional: boolean;
}

/** Answers after which the batch may be in the log, or may yet come to be. */
const AMBIGUOUS: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'UNKNOWN_SERVER_ERROR',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
]);

/** Judges the error code of a Produce response for one batch, as the Java client does where that is safe. */
export function judge(errorCode: number, batch: JudgedBatch): Verdict {
  const name = errorName(errorCode);
  switch (name) {
    case 'NONE':
      return { kind: 'written', duplicate: false };
    case 'DUPLICATE_SEQUENCE_NUMBER':
      return { kind: 'written', duplicate: true };
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
      if (batch.recordCount > 1) return { kind: 'split' };
      break;
    case 'OUT_OF_ORDER_SEQUENCE_NUMBER':
    case 'UNKNOWN_PRODUCER_ID':
      // Behind another one that is still to come, this is to be expected. The oldest has nothing before it that could
      // still arrive: the broker has lost what it knew, or a batch before it was never written. It was refused, so it is
      // not written either, nor is anything behind it. Of a piece that can't be said: the whole it was cut from may be there.
      if (batch.stamped && !(batch.oldest && (batch.transactional || batch.pieceOfAmbiguous))) {
        return retry({ restart: batch.oldest });
      }
      break;
    case 'INVALID_PRODUCER_EPOCH':
      // Refused, not written: but an earlier attempt may have been, and that one a new epoch would repeat.
      if (batch.stamped && !batch.ambiguous && !batch.transactional) return retry({ restart: batch.oldest });
      break;
  }
  const ambiguous = AMBIGUOUS.has(name);
  const stale = isStaleMetadata(errorCode);
  return isRetriable(errorCode) ? retry({ ambiguous, stale }) : { kind: 'failed', ambiguous, stale };
}

function retry(how: { ambiguous?: boolean; stale?: boolean; restart?: boolean }): Verdict {
  return { kind: 'retry', ambiguous: false, stale: false, restart: false, ...how };
}
