import { describe, KrafkaConfigError } from '../support/index.js';

const IPV6 = /^\[([^\]]+)\]:(\d{1,5})$/;
const NAME_OR_IPV4 = /^([^\s:/@[\]]+):(\d{1,5})$/;

/** The two halves of `host:port` or `[ipv6]:port`. Throws a KrafkaConfigError for anything else. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  if (typeof address !== 'string') {
    throw new KrafkaConfigError('address', `must be a string like 'host:9092', got ${describe(address)}`);
  }
  const match = IPV6.exec(address) ?? NAME_OR_IPV4.exec(address);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port < 1 || port > 65_535) {
    throw new KrafkaConfigError(
      'address',
      `must be host:port, or [host]:port for IPv6; got '${withoutCredentials(address)}'`,
    );
  }
  return { host: match[1], port };
}

// What stands before an '@' may be a password.
const withoutCredentials = (address: string): string => address.replace(/^.*@/s, '***@');
