import type { Cluster } from '../cluster/index.js';
import type { Ports, TypedEvents } from '../support/index.js';
import type { ProducerEvents } from './events.js';
import type { ProducerOptions } from './options.js';
import type { ProducerRecord, RecordContent, RecordMetadata, SendOptions, SendOutcome } from './record.js';
import type { ProducerStats } from './stats.js';

// The signatures the neighbours build on; the implementation follows in the next commits.
export declare class Producer<Key = RecordContent, Value = RecordContent> {
  constructor(cluster: Cluster, options?: ProducerOptions<Key, Value>, ports?: Partial<Ports>);
  readonly events: TypedEvents<ProducerEvents>;
  send(record: ProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata>;
  /** Rejects with the first failure once every record of the call is settled. */
  sendAll(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<RecordMetadata[]>;
  sendAllSettled(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<SendOutcome[]>;
  flush(): Promise<void>;
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
  stats(): ProducerStats;
}
