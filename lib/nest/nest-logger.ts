import { Logger as NestLoggerService, type LoggerService } from '@nestjs/common';
import type { LogDetails, Logger } from '../core/support/index.js';

/** The core's logger on Nest's, so that `app.useLogger()` and log levels hold for it too. */
export class NestLogger implements Logger {
  readonly #target: LoggerService;

  /** `name` is the context that Nest prints in brackets. */
  constructor(name = 'Krafka') {
    this.#target = new NestLoggerService(name);
  }

  debug(message: string, details?: LogDetails): void {
    this.#target.debug?.(withDetails(message, details));
  }

  info(message: string, details?: LogDetails): void {
    this.#target.log(withDetails(message, details));
  }

  warn(message: string, details?: LogDetails): void {
    this.#target.warn(withDetails(message, details));
  }

  error(message: string, details?: LogDetails): void {
    this.#target.error(withDetails(message, details));
  }
}

function withDetails(message: string, details: LogDetails | undefined): string {
  if (details === undefined) return message;
  const facts = Object.entries(details).map(([name, value]) => `${name}=${describe(value)}`);
  return facts.length === 0 ? message : `${message} (${facts.join(', ')})`;
}

function describe(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
