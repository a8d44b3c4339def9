import type { GroupState, TopicPartition } from '../consumer/index.js';

/** A share consumer's numbers at one moment. Counters grow from the start of the consumer. */
export interface ShareConsumerStats extends ShareCountersSnapshot {
  readonly groupState: GroupState;
  /** The partitions this member reads. */
  readonly partitions: readonly TopicPartition[];
  /** Records acquired on which no verdict was said yet, read ahead and handed out together. */
  readonly inFlight: number;
  /** Of those, how many were not handed out yet. */
  readonly buffered: number;
  /** Bytes of batches that were read ahead. */
  readonly bufferedBytes: number;
  /** How many records are acquired at most at the moment: less than `maxRecords` while handlers are too slow for that. */
  readonly maxInFlight: number;
}

/** What has been counted. Verdicts count when the broker has taken them. */
export interface ShareCountersSnapshot {
  /** Records that brokers gave to this member. */
  readonly acquired: number;
  readonly accepted: number;
  readonly released: number;
  readonly rejected: number;
  /** Locks renewed. */
  readonly renewed: number;
  /** Offsets that held no record: markers of transactions, compacted records. */
  readonly gaps: number;
  /** Verdicts that the broker did not take, or may not have. */
  readonly failedAcknowledgements: number;
  /** Records whose lock expired before a verdict was said. */
  readonly lockTimeouts: number;
  /** Records whose share session was lost before a verdict was said. */
  readonly lost: number;
  /** Records in batches that could not be read. */
  readonly unreadable: number;
  /** Handlers that failed. */
  readonly handlerFailures: number;
  /** ShareFetch requests sent. */
  readonly fetches: number;
  /** ShareAcknowledge requests sent: what no fetch took along. */
  readonly acknowledges: number;
  /** Share sessions that were lost and opened anew. */
  readonly sessionResets: number;
  /** Bytes of record batches received. */
  readonly receivedBytes: number;
}

/** The counters of one share consumer. */
export class ShareCounters implements ShareCountersSnapshot {
  acquired = 0;
  accepted = 0;
  released = 0;
  rejected = 0;
  renewed = 0;
  gaps = 0;
  failedAcknowledgements = 0;
  lockTimeouts = 0;
  lost = 0;
  unreadable = 0;
  handlerFailures = 0;
  fetches = 0;
  acknowledges = 0;
  sessionResets = 0;
  receivedBytes = 0;

  snapshot(): ShareCountersSnapshot {
    return {
      acquired: this.acquired,
      accepted: this.accepted,
      released: this.released,
      rejected: this.rejected,
      renewed: this.renewed,
      gaps: this.gaps,
      failedAcknowledgements: this.failedAcknowledgements,
      lockTimeouts: this.lockTimeouts,
      lost: this.lost,
      unreadable: this.unreadable,
      handlerFailures: this.handlerFailures,
      fetches: this.fetches,
      acknowledges: this.acknowledges,
      sessionResets: this.sessionResets,
      receivedBytes: this.receivedBytes,
    };
  }
}
