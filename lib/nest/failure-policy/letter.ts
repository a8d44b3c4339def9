import type { Producer, ProducerRecord, SendOptions } from '../../core/producer/index.js';
import type { RecordHeaders } from '../../core/protocol/index.js';
import { KrafkaRecordTooLargeError } from '../../core/support/index.js';

/** A record that failed as it goes to another topic: its own key, value and headers, and what is said of it in more headers. */
export interface Letter extends Omit<ProducerRecord, 'headers'> {
  /** The record's own, and those without which nobody there could do anything with it. */
  readonly headers: RecordHeaders;
  /** What else is said, the most telling first: where all of it is too much for a topic, the last is left out first. */
  readonly remarks: readonly RecordHeaders[];
}

/** What letters are sent with. */
export interface LetterProducers {
  /** The application's own, which sends no more than it is set to. */
  readonly usual: Pick<Producer, 'send'>;
  /** The one that sends as much as a broker may take, compressed; made when it is first needed. */
  large(): Pick<Producer, 'send'>;
}

/** The record of a letter, with so many of its remarks. */
export const recordOf = ({ remarks, ...letter }: Letter, count = remarks.length): ProducerRecord => ({
  ...letter,
  // Spread, not assigned: a header may be called '__proto__'.
  headers: remarks.slice(0, count).reduce((headers, remark) => ({ ...headers, ...remark }), letter.headers),
});

/** True for what a producer, a topic or a broker won't take because of its size. */
export const isTooLarge = (error: unknown): error is KrafkaRecordTooLargeError =>
  error instanceof KrafkaRecordTooLargeError;

/** Sends a record that must not be lost for its size: a producer's limit is no topic's. @throws as `Producer.send` */
export async function sendOfAnySize(
  producers: LetterProducers,
  record: ProducerRecord,
  options: SendOptions,
): Promise<void> {
  try {
    await producers.usual.send(record, options);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    await producers.large().send(record, options);
  }
}

/**
 * Sends a letter, with as many of its remarks as the topic has room for, and answers how many that are.
 *
 * @throws KrafkaRecordTooLargeError when it is too large without any, else as `Producer.send`
 */
export async function sendLetter(producers: LetterProducers, letter: Letter, options: SendOptions): Promise<number> {
  for (let count = letter.remarks.length; ; count--) {
    try {
      await sendOfAnySize(producers, recordOf(letter, count), options);
      return count;
    } catch (error) {
      if (!isTooLarge(error) || count === 0) throw error;
    }
  }
}
