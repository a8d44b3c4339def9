/** Where the core says what happened; Nest's logger, pino or the console fit behind it. Details never hold secrets. */
export interface Logger {
  debug(message: string, details?: LogDetails): void;
  info(message: string, details?: LogDetails): void;
  warn(message: string, details?: LogDetails): void;
  error(message: string, details?: LogDetails): void;
}

/** Flat facts beside a log message. */
export type LogDetails = Readonly<Record<string, unknown>>;

const nothing = (): void => undefined;

/** Says nothing: the default of the core. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
