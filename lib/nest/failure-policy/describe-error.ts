/** Headers are for reading: a text that is longer is cut. */
const MAX_TEXT_LENGTH = 8 * 1024;

/** The class of an error, or what was thrown in its place. */
export const nameOf = (error: unknown): string =>
  typeof error === 'object' && error !== null ? (error.constructor?.name ?? 'Object') : typeof error;

/** What an error says, whatever was thrown: an Error's message, text itself, JSON of the rest. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'string') return error;
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') {
    return error.message;
  }
  try {
    return JSON.stringify(error) ?? String(error);
  } catch {
    return `${nameOf(error)} (which JSON can't show)`;
  }
}

/** A text as a header holds it. */
export const cut = (text: string): string =>
  text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH)}...`;
