import { OWNER_BYTES } from '../accumulator/buffer-memory.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { SendGroup } from '../accumulator/settlements.js';
import type { ProducerRecord, RecordMetadata } from '../record.js';
import type { Preparation } from './preparation.js';

/** Who awaits one record. */
export interface Owner {
  /** What it takes in the heap while it waits. */
  readonly bytes: number;
  /** The record was encoded in the batch: its outcome is the batch's to tell. */
  joined(batch: ProducerBatch, timestamp: number): void;
  /** It was written. */
  written(metadata: RecordMetadata): void;
  /** It was not, or never will be. */
  failed(error: Error): void;
}

/** A caller of `send`. */
export class CallerOfOne implements Owner {
  readonly bytes = OWNER_BYTES.ofOne;
  readonly #resolve: (metadata: RecordMetadata) => void;
  readonly #reject: (error: Error) => void;

  constructor(resolve: (metadata: RecordMetadata) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  joined(batch: ProducerBatch, timestamp: number): void {
    batch.settlements.add(timestamp, this.#resolve, this.#reject);
  }

  written(metadata: RecordMetadata): void {
    this.#resolve(metadata);
  }

  failed(error: Error): void {
    this.#reject(error);
  }
}

/** One record of a `sendAll`. */
export class MemberOfGroup implements Owner {
  readonly bytes = OWNER_BYTES.ofMember;
  readonly #group: SendGroup;
  readonly #place: number;

  constructor(group: SendGroup, place: number) {
    this.#group = group;
    this.#place = place;
  }

  joined(batch: ProducerBatch, timestamp: number): void {
    batch.settlements.addToGroup(timestamp, this.#group, this.#place);
  }

  written(metadata: RecordMetadata): void {
    this.#group.acknowledged(this.#place, metadata);
  }

  failed(error: Error): void {
    this.#group.failed(this.#place, error);
  }
}

/** An owner whose interceptors hear of the outcome before it does. */
export class HeardOwner<Key, Value> implements Owner {
  readonly bytes = OWNER_BYTES.ofOne;
  readonly #owner: Owner;
  readonly #record: ProducerRecord<Key, Value>;
  readonly #hearing: Pick<Preparation<Key, Value>, 'acknowledge'>;

  constructor(owner: Owner, record: ProducerRecord<Key, Value>, hearing: Pick<Preparation<Key, Value>, 'acknowledge'>) {
    this.#owner = owner;
    this.#record = record;
    this.#hearing = hearing;
  }

  joined(batch: ProducerBatch, timestamp: number): void {
    batch.settlements.add(
      timestamp,
      (metadata) => this.written(metadata),
      (error) => this.failed(error),
    );
  }

  written(metadata: RecordMetadata): void {
    this.#hearing.acknowledge(this.#record, metadata);
    this.#owner.written(metadata);
  }

  failed(error: Error): void {
    this.#hearing.acknowledge(this.#record, error);
    this.#owner.failed(error);
  }
}
