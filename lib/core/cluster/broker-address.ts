import { describe, KrafkaConfigError } from '../support/index.js';

/** The port of an address that names none: Kafka's own. */
export const DEFAULT_PORT = 9092;

/** `host:port` as pools and errors write it: an IPv6 host goes in brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The bootstrap addresses of an option: a string with commas, or an array of strings. Each is `host`, `host:port` or
 * `[ipv6]:port`; the port is 9092 where none is named. Blanks around an address are dropped, and so are repetitions.
 *
 * @throws KrafkaConfigError naming the entry that is none
 */
export function parseBrokers(value: unknown, path: string): readonly string[] {
  const entries = typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(entries)) {
    throw new KrafkaConfigError(
      path,
      `must be a string like 'host:9092,host:9092' or an array, got ${describe(value)}`,
    );
  }
  if (entries.length === 0) throw new KrafkaConfigError(path, 'must name at least one broker');
  return Object.freeze([
    ...new Set(
      entries.map((entry, index) =>
        parseBroker(entry, entries.length === 1 && typeof value === 'string' ? path : `${path}[${index}]`),
      ),
    ),
  ]);
}

const IPV6 = /^\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\](?::(.*))?$/;
const HOST = /^([^\s:/@[\]]+)(?::(.*))?$/;

function parseBroker(entry: unknown, path: string): string {
  if (typeof entry !== 'string') throw new KrafkaConfigError(path, `must be a string, got ${describe(entry)}`);
  const text = entry.trim();
  if (text === '') throw new KrafkaConfigError(path, 'is empty: it must be host:port');
  // What stands before an '@' may be a password, which no error may repeat.
  if (text.includes('@')) throw new KrafkaConfigError(path, 'must be host:port; credentials belong in connection.sasl');
  if (text.includes('/'))
    throw new KrafkaConfigError(path, `must be host:port without a scheme or path, got '${text}'`);
  const match = IPV6.exec(text) ?? HOST.exec(text);
  const host = match?.[1];
  if (match === null || host === undefined || (match[2]?.includes(':') ?? false)) {
    const hint = text.split(':').length > 2 ? `; an IPv6 address goes in brackets, as in '[::1]:${DEFAULT_PORT}'` : '';
    throw new KrafkaConfigError(path, `must be host:port, got '${text}'${hint}`);
  }
  return formatAddress(host, parsePort(match[2], text, path));
}

function parsePort(port: string | undefined, text: string, path: string): number {
  if (port === undefined) return DEFAULT_PORT;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535) {
    throw new KrafkaConfigError(path, `must have a port from 1 to 65535, got '${text}'`);
  }
  return number;
}
