/**
 * What becomes of a record, in the words of Java's `AcknowledgeType`: `accept` is done, `release` gives it back so that
 * it is delivered again, `reject` archives it so that it never is, `renew` keeps it for another lock's time (KIP-1222).
 */
export type AcknowledgeType = 'accept' | 'release' | 'reject' | 'renew';

/** An {@link AcknowledgeType}, or what is said of an offset that holds no record: a marker, or one that is compacted. */
export type Verdict = AcknowledgeType | 'gap';

/** Verdicts as they travel (KIP-932, KIP-1222). */
export const WIRE_TYPE: Readonly<Record<Verdict, number>> = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 };

/** Offsets of one partition that had the same verdict, both ends included. */
export interface AcknowledgedRange {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly type: AcknowledgeType | 'gap';
}
