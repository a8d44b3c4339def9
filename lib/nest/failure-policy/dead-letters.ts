import type { ConsumerRecord } from '../../core/protocol/index.js';
import {
  backoffMs,
  KrafkaClosedError,
  KrafkaError,
  KrafkaFencedError,
  sleep,
  type Backoff,
  type Ports,
} from '../../core/support/index.js';
import type { Topics } from '../topics.js';
import { deadLetterOf, deadLetterTopicOf, type DeadLetterCause } from './dead-letter.js';
import { messageOf } from './describe-error.js';
import { isTooLarge, sendLetter, type Letter, type LetterProducers } from './letter.js';
import { placeOf, type OriginalPlace } from './original-place.js';
import { encodeRetryLetter, retryTopicOf, type RetryLetter } from './retry-letter.js';

const BACKOFF: Backoff = { baseMs: 200, capMs: 30_000 };

/** Where a record that was to be handled later went. */
export type WentTo = 'retry-topic' | 'dead-letter';

/**
 * Writes records that failed to the topics where they go on: dead-letter topics and retry topics. It creates them when
 * they are missing, with as many partitions as the topic has that the record came from.
 */
export class DeadLetters {
  readonly #topics: Pick<Topics, 'ensure' | 'partitionsOf'>;
  readonly #producers: LetterProducers;
  readonly #ports: Ports;

  constructor(topics: Pick<Topics, 'ensure' | 'partitionsOf'>, producers: LetterProducers, ports: Ports) {
    this.#topics = topics;
    this.#producers = producers;
    this.#ports = ports;
  }

  /**
   * Resolves when the dead letter is acknowledged: until then its record is not done. One that can't be written holds up its
   * partition, and nothing else, and is tried again until the signal aborts: time may heal it, or whoever runs the cluster.
   *
   * @throws KrafkaError `DEAD_LETTER_FAILED` when this application can't write any more; going on would lose the record
   */
  async publish(record: ConsumerRecord, cause: DeadLetterCause, signal: AbortSignal): Promise<void> {
    const place = cause.place ?? placeOf(record);
    const topic = deadLetterTopicOf(place.topic);
    const encode = (partition: number | undefined): Letter => deadLetterOf(record, cause, partition);
    for (let failures = 1; ; failures++) {
      const obstacle = await this.#write(topic, place, signal, encode);
      if (obstacle === undefined) return;
      await this.#wait(topic, obstacle, failures, signal);
    }
  }

  /**
   * Puts the record into its next retry topic, as {@link publish} puts it into the dead-letter topic. Where it has no room in
   * the retry topic with what has to be said there, it becomes a dead letter at once.
   */
  async retryLater(record: ConsumerRecord, letter: RetryLetter, error: unknown, signal: AbortSignal): Promise<WentTo> {
    const { place, groupId } = letter;
    const topic = retryTopicOf(place.topic, letter.hop);
    const encode = (partition: number | undefined): Letter => encodeRetryLetter(record, letter, error, partition);
    for (let failures = 1; ; failures++) {
      const obstacle = await this.#write(topic, place, signal, encode);
      if (obstacle === undefined) return 'retry-topic';
      if (isTooLarge(obstacle)) {
        this.#ports.logger.error('a record is too large for its retry topic and goes to its dead-letter topic', {
          topic,
          error: obstacle,
        });
        await this.publish(record, { groupId, error, place }, signal);
        return 'dead-letter';
      }
      await this.#wait(topic, obstacle, failures, signal);
    }
  }

  /** Answers with what is in the way, when something is that others than this application can clear. */
  async #write(
    topic: string,
    place: OriginalPlace,
    signal: AbortSignal,
    encode: (partition: number | undefined) => Letter,
  ): Promise<KrafkaError | undefined> {
    try {
      const partitions = await this.#topics.ensure({ name: topic, partitions: this.#topics.partitionsOf(place.topic) });
      const letter = encode(place.partition < partitions ? place.partition : undefined);
      const said = await sendLetter(this.#producers, letter, { signal });
      if (said < letter.remarks.length) this.#tellOfBrevity(topic, place, letter.remarks.slice(said));
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof KrafkaError && !isTheEnd(error)) return error;
      throw new KrafkaError(`a record that failed can't be written to '${topic}': ${messageOf(error)}`, {
        code: 'DEAD_LETTER_FAILED',
        cause: error,
      });
    }
  }

  #tellOfBrevity(topic: string, place: OriginalPlace, leftOut: Letter['remarks']): void {
    this.#ports.logger.warn('a record that failed had no room for all that is to be said of it', {
      topic,
      record: `${place.topic}[${place.partition}]@${place.offset}`,
      leftOut: leftOut.flatMap(Object.keys),
    });
  }

  async #wait(topic: string, error: KrafkaError, failures: number, signal: AbortSignal): Promise<void> {
    const waitMs = Math.round(backoffMs(BACKOFF, failures, this.#ports.random));
    this.#ports.logger.error(
      error.retriable
        ? `a record that failed was not written on and is tried again in ${waitMs} ms`
        : `a record that failed can't be written on: it holds up its partition, and is tried again in ${waitMs} ms${remedyOf(error)}`,
      { topic, error },
    );
    await sleep(this.#ports.clock, waitMs, signal);
  }
}

const isTheEnd = (error: KrafkaError): boolean =>
  error instanceof KrafkaClosedError || error instanceof KrafkaFencedError;

const remedyOf = (error: KrafkaError): string => (isTooLarge(error) ? " (raise the topic's max.message.bytes)" : '');
