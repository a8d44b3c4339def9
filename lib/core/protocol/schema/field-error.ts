/** A field that can't be written or read: its path from the message's root, and why. */
export class FieldError extends Error {
  #path = '';
  /** The field exists, but not in the version spoken. */
  readonly unsupported: boolean;

  constructor(problem: string, options: { unsupported?: boolean; cause?: unknown } = {}) {
    super(problem, options.cause === undefined ? undefined : { cause: options.cause });
    this.unsupported = options.unsupported ?? false;
  }

  /** Such as `topics[2].name`; empty for the message itself. */
  get path(): string {
    return this.#path;
  }

  within(segment: string): this {
    const rest = this.#path;
    this.#path = rest === '' || rest.startsWith('[') ? segment + rest : `${segment}.${rest}`;
    return this;
  }
}

/** The error on its way out of the field, struct or element `segment`: costs nothing until something is wrong. */
export function inField(segment: string, error: unknown): FieldError {
  const found = error instanceof FieldError ? error : new FieldError(problemOf(error), { cause: error });
  return found.within(segment);
}

/** What is wrong, without the code that a reader's error leads with. */
export function problemOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^MALFORMED: /, '') : String(error);
}
