import { inspect } from 'node:util';
import { ConsumerRecord } from '../protocol/index.js';
import type { AcknowledgeType } from './acknowledge-type.js';
import type { Custody } from './custody.js';

let reveal!: (record: ShareRecord) => Custody;

/**
 * One record that was acquired: this member's alone until it is acknowledged or its lock expires. See
 * {@link ConsumerRecord} for what it holds.
 *
 * The first verdict counts. Saying another one, or one after the lock has expired, is a KrafkaError `NOT_ACQUIRED`.
 */
export class ShareRecord extends ConsumerRecord {
  static {
    reveal = (record) => record.#custody;
  }

  readonly #custody: Custody;

  constructor(record: ConsumerRecord, custody: Custody) {
    super(...ConsumerRecord.partsOf(record));
    this.#custody = custody;
  }

  /** How often the record has been given to a member, this time included: from 1 up to the group's limit. */
  get deliveryCount(): number {
    return this.#custody.deliveryCount;
  }

  /** Whether it is still this member's, and no verdict was said. */
  get isAcquired(): boolean {
    return this.#custody.state === 'acquired';
  }

  /** The record is done, and is never delivered again. @throws KrafkaError NOT_ACQUIRED */
  accept(): void {
    this.#custody.acknowledge('accept');
  }

  /** The record goes back to the group, to be delivered again to any member. @throws KrafkaError NOT_ACQUIRED */
  release(): void {
    this.#custody.acknowledge('release');
  }

  /** The record can't be processed, and is never delivered again. @throws KrafkaError NOT_ACQUIRED */
  reject(): void {
    this.#custody.acknowledge('reject');
  }

  /**
   * Keeps the record for the time of another lock, from when the broker agrees (KIP-1222, Kafka 4.2 and later). May be
   * repeated.
   *
   * @throws KrafkaError NOT_ACQUIRED when it is not this member's any more
   * @throws KrafkaUnsupportedFeatureError where the broker can't renew
   * @throws KrafkaProtocolError INVALID_RECORD_STATE when the group must not renew, or the lock had expired
   */
  renew(): Promise<void> {
    const renewed = this.#custody.renew();
    // Whoever does not await it hears of a failure by the event `lockExpired`.
    renewed.catch(() => undefined);
    return renewed;
  }

  /** {@link accept}, {@link release}, {@link reject} or {@link renew}, by its name. */
  acknowledge(type: AcknowledgeType): void | Promise<void> {
    return type === 'renew' ? this.renew() : this.#custody.acknowledge(type);
  }

  override [inspect.custom](): object {
    return { ...super[inspect.custom](), deliveryCount: this.deliveryCount, isAcquired: this.isAcquired };
  }
}

/** The hold on a record: for this room only. */
export const custodyOf = reveal;
