import type { Producer, ProducerRecord } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { backoffMs, KrafkaError, sleep, type Backoff, type Ports } from '../../core/support/index.js';
import type { Topics } from '../topics.js';
import { deadLetterOf, deadLetterTopicOf, type DeadLetterCause } from './dead-letter.js';
import { messageOf } from './describe-error.js';
import { placeOf, type OriginalPlace } from './original-place.js';
import { encodeRetryLetter, retryTopicOf, type RetryLetter } from './retry-letter.js';

const BACKOFF: Backoff = { baseMs: 200, capMs: 30_000 };

/**
 * Writes records that failed to the topics where they go on: dead-letter topics and retry topics. It creates them when
 * they are missing, with as many partitions as the topic has that the record came from.
 */
export class DeadLetters {
  readonly #topics: Pick<Topics, 'ensure' | 'partitionsOf'>;
  readonly #producer: Pick<Producer, 'send'>;
  readonly #ports: Ports;

  constructor(topics: Pick<Topics, 'ensure' | 'partitionsOf'>, producer: Pick<Producer, 'send'>, ports: Ports) {
    this.#topics = topics;
    this.#producer = producer;
    this.#ports = ports;
  }

  /**
   * Resolves when the dead letter is acknowledged: until then its record is not done. What time may heal is tried again until
   * the signal aborts.
   *
   * @throws KrafkaError `DEAD_LETTER_FAILED` when it can never be written; going on would lose the record
   */
  publish(record: ConsumerRecord, cause: DeadLetterCause, signal: AbortSignal): Promise<void> {
    const place = cause.place ?? placeOf(record);
    return this.#write(deadLetterTopicOf(place.topic), place, signal, (partition) =>
      deadLetterOf(record, cause, partition),
    );
  }

  /** Puts the record into its next retry topic, as {@link publish} puts it into the dead-letter topic. */
  retryLater(record: ConsumerRecord, letter: RetryLetter, error: unknown, signal: AbortSignal): Promise<void> {
    const { place } = letter;
    return this.#write(retryTopicOf(place.topic, letter.hop), place, signal, (partition) =>
      encodeRetryLetter(record, letter, error, partition),
    );
  }

  async #write(
    topic: string,
    place: OriginalPlace,
    signal: AbortSignal,
    encode: (partition: number | undefined) => ProducerRecord,
  ): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        const partitions = await this.#topics.ensure({
          name: topic,
          partitions: this.#topics.partitionsOf(place.topic),
        });
        const samePartition = place.partition < partitions ? place.partition : undefined;
        await this.#producer.send(encode(samePartition), { signal });
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof KrafkaError) || !error.retriable) {
          throw new KrafkaError(`a record that failed can't be written to '${topic}': ${messageOf(error)}`, {
            code: 'DEAD_LETTER_FAILED',
            cause: error,
          });
        }
        const waitMs = Math.round(backoffMs(BACKOFF, failures, this.#ports.random));
        this.#ports.logger.error(`a record that failed was not written on and is tried again in ${waitMs} ms`, {
          topic,
          error,
        });
        await sleep(this.#ports.clock, waitMs, signal);
      }
    }
  }
}
