import type { Clock, Timer } from '../support/index.js';

export interface FirstAnswerOptions<C, T> {
  /** In the order to be asked. */
  readonly candidates: readonly C[];
  readonly ask: (candidate: C) => Promise<T>;
  /** Whether a failure ends the whole question, instead of leaving it to the other candidates. */
  readonly isFinal: (error: unknown) => boolean;
  /** How long one candidate may keep silent before the next one is asked as well, milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/** Nobody answered: what each candidate failed with, in the order of their failing. */
export class NoAnswer<C> extends Error {
  constructor(readonly failures: readonly { readonly candidate: C; readonly error: unknown }[]) {
    super('no candidate answered');
  }
}

/**
 * Asks candidates in turn until one answers. The next is asked as soon as one fails, and beside it when one keeps
 * silent, so that a broker which accepts connections and says nothing holds up nobody. Later answers are dropped.
 *
 * @throws NoAnswer when all of them failed; the candidate's own error when that is final
 */
export function firstAnswer<C, T>(options: FirstAnswerOptions<C, T>): Promise<T> {
  const { candidates, ask, isFinal, patienceMs, clock } = options;
  return new Promise<T>((resolve, reject) => {
    const failures: { candidate: C; error: unknown }[] = [];
    let asked = 0;
    let done = false;
    let patience: Timer | undefined;
    const finish = (settle: () => void): void => {
      done = true;
      patience?.cancel();
      settle();
    };
    const askOne = async (candidate: C): Promise<void> => {
      try {
        const answer = await ask(candidate);
        if (!done) finish(() => resolve(answer));
      } catch (error) {
        if (done) return;
        failures.push({ candidate, error });
        if (isFinal(error)) finish(() => reject(error));
        else if (failures.length === candidates.length) finish(() => reject(new NoAnswer(failures)));
        else askNext();
      }
    };
    const askNext = (): void => {
      patience?.cancel();
      const candidate = candidates[asked++];
      if (candidate === undefined) return;
      if (asked < candidates.length) patience = clock.setTimer(patienceMs, askNext, true);
      void askOne(candidate);
    };
    if (candidates.length === 0) reject(new NoAnswer<C>([]));
    else askNext();
  });
}
