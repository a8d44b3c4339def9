import type { ProducerRecord, RecordMetadata } from './record.js';

/**
 * Sees every record on its way out and back. Several run in the order in which they are given, each on what the one before
 * returned.
 */
export interface ProducerInterceptor<Key, Value> {
  /**
   * Answers with the record to send in place of this one, before it is serialized. Must not change the record it is handed.
   * What it throws is the outcome of the send.
   */
  onSend?(record: ProducerRecord<Key, Value>): ProducerRecord<Key, Value>;
  /**
   * Called with the outcome of each record that `onSend` answered for, be it that an interceptor behind it threw. What it
   * throws is logged, not felt by the sender.
   */
  onAcknowledgement?(
    outcome:
      | { readonly metadata: RecordMetadata; readonly error?: undefined }
      | { readonly metadata?: undefined; readonly error: Error },
    record: ProducerRecord<Key, Value>,
  ): void;
}
