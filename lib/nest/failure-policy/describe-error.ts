import { validationProblemsOf } from './validation-errors.js';

/** Headers are for reading: a text that is longer is cut. */
const MAX_TEXT_LENGTH = 8 * 1024;

/** The class of an error, or what was thrown in its place. */
export function nameOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return typeof error;
  const name = tried(() => error.constructor.name as unknown);
  return typeof name === 'string' && name !== '' ? name : 'Object';
}

/**
 * What an error says, whatever was thrown: what is wrong with a payload where a pipe refused it, else an Error's message, text
 * itself, JSON of the rest. Never throws.
 */
export function messageOf(error: unknown): string {
  if (typeof error === 'string') return error;
  const problems = tried(() => validationProblemsOf(error));
  if (problems !== undefined) return problems.join('; ');
  const message = tried(() => (error as { readonly message?: unknown } | null | undefined)?.message);
  if (typeof message === 'string') return message;
  return tried(() => JSON.stringify(error) ?? String(error)) ?? `${nameOf(error)} (which JSON can't show)`;
}

/** Where an error was made, where it says so. */
export function stackOf(error: unknown): string | undefined {
  const stack = tried(() => (error as { readonly stack?: unknown } | null | undefined)?.stack);
  return error instanceof Error && typeof stack === 'string' ? stack : undefined;
}

/** A text as a header holds it. */
export const cut = (text: string): string =>
  text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH)}...`;

/** What is read of something that was thrown: its getters may be anybody's. */
export function tried<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    // That it can't be read is all there is to say of it.
    return undefined;
  }
}
