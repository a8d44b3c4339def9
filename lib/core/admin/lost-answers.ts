import { ERROR_CODES, errorName, type ErrorName } from '../protocol/index.js';
import { KrafkaError } from '../support/index.js';
import type { Answers } from './admin-call.js';

const REMARK = 'an earlier try of this call got no answer, so it may have been this call that did it';

/**
 * Remembers the topics whose fate is not known: a request about them may have been carried out although it failed for us.
 * When a later try then hears that there is nothing left to do, the error says so; it is not turned into success, for
 * nobody knows whose doing it was.
 */
export class LostAnswers {
  readonly #unsure = new Set<string>();

  /** Asks, and takes note of what is not known afterwards. */
  async noting<R>(names: readonly string[], ask: () => Promise<Answers<string, R>>): Promise<Answers<string, R>> {
    try {
      const answers = await ask();
      for (const [name, answer] of answers) {
        if (answer instanceof KrafkaError && answer.code === errorName(ERROR_CODES.REQUEST_TIMED_OUT)) {
          this.#unsure.add(name);
        }
      }
      return answers;
    } catch (error) {
      for (const name of names) this.#unsure.add(name);
      throw error;
    }
  }

  /** The broker's own words for an error, and the remark where the error may be the fruit of our own earlier try. */
  detail(
    { name, errorCode, errorMessage }: { name: string; errorCode: number; errorMessage: string | null },
    nothingLeftToDo: ErrorName,
  ): string | undefined {
    const remark = errorCode === ERROR_CODES[nothingLeftToDo] && this.#unsure.has(name) ? REMARK : null;
    return [errorMessage, remark].filter(Boolean).join('; ') || undefined;
  }
}
