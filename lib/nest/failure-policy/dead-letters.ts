import type { Producer } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { backoffMs, KrafkaError, sleep, type Backoff, type Ports } from '../../core/support/index.js';
import type { Topics } from '../topics.js';
import { deadLetterOf, deadLetterTopicOf, messageOf, type DeadLetterCause } from './dead-letter.js';

const BACKOFF: Backoff = { baseMs: 200, capMs: 30_000 };

/** Writes records to dead-letter topics, which it creates when they are missing, like the topic the record came from. */
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
  async publish(record: ConsumerRecord, cause: DeadLetterCause, signal: AbortSignal): Promise<void> {
    const topic = deadLetterTopicOf(record.topic);
    for (let failures = 1; ; failures++) {
      try {
        const partitions = await this.#topics.ensure({
          name: topic,
          partitions: this.#topics.partitionsOf(record.topic),
        });
        const samePartition = record.partition < partitions ? record.partition : undefined;
        await this.#producer.send(deadLetterOf(record, cause, samePartition), { signal });
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof KrafkaError) || !error.retriable) {
          throw new KrafkaError(`a dead letter can't be written to '${topic}': ${messageOf(error)}`, {
            code: 'DEAD_LETTER_FAILED',
            cause: error,
          });
        }
        const waitMs = Math.round(backoffMs(BACKOFF, failures, this.#ports.random));
        this.#ports.logger.error(`a dead letter was not written and is tried again in ${waitMs} ms`, { topic, error });
        await sleep(this.#ports.clock, waitMs, signal);
      }
    }
  }
}
