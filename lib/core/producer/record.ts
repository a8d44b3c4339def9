import type { RecordHeaders } from '../protocol/index.js';

/** A key or value as it goes to the wire: text is written as UTF-8, null is a null (for a value: a tombstone). */
export type RecordContent = string | Buffer | null;

/**
 * A record to be sent. It is read, never changed, and nothing of it is kept once it is encoded.
 *
 * `Key` and `Value` are what the producer's serializers take; without serializers they are {@link RecordContent}.
 */
export interface ProducerRecord<Key = RecordContent, Value = RecordContent> {
  readonly topic: string;
  /** The partition to write to. Default: what the partitioner says. */
  readonly partition?: number | undefined;
  /** Decides the partition unless that is given. Default null: no key, the partition is free to choose. */
  readonly key?: Key | null | undefined;
  /** Null is a tombstone and reaches no serializer. */
  readonly value: Value | null;
  /** An array of values repeats its key. */
  readonly headers?: RecordHeaders | undefined;
  /** Milliseconds since the epoch. Default: now. */
  readonly timestamp?: number | undefined;
}

/** Where an acknowledged record is. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  /** -1 when the broker did not say: with `acks: 0`, and for a retry whose first try turns out to have been written long ago. */
  readonly offset: number;
  /** Milliseconds since the epoch: the record's own, or the broker's where the topic has `message.timestamp.type=LogAppendTime`. */
  readonly timestamp: number;
}

/** What became of one record of a {@link Producer.sendAllSettled} call. */
export type SendOutcome =
  | { readonly status: 'fulfilled'; readonly value: RecordMetadata }
  | { readonly status: 'rejected'; readonly reason: Error };

/** How one send is done. */
export interface SendOptions {
  /**
   * Ends the caller's waiting: the promise rejects with the signal's reason. A record that has not been encoded by then is
   * not sent; one that has may still be written.
   */
  readonly signal?: AbortSignal | undefined;
  /** True never lingers: requests and replies. It goes with the turn of the loop, and takes its batch along. Default false. */
  readonly immediate?: boolean | undefined;
}
