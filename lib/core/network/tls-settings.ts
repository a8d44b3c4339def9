import {
  createSecureContext,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  type ConnectionOptions as NodeTlsOptions,
  type SecureContext,
} from 'node:tls';
import { inspect } from 'node:util';
import { isIP } from 'node:net';
import {
  aBoolean,
  aFunction,
  aString,
  checkOptions,
  describe,
  KrafkaConfigError,
  oneOf,
  optional,
  type OptionRule,
  type OptionRules,
} from '../support/index.js';

/** Node's own TLS options, as far as they concern a client. */
export type TlsOptions = Pick<
  NodeTlsOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'pfx'
  | 'passphrase'
  | 'servername'
  | 'rejectUnauthorized'
  | 'checkServerIdentity'
  | 'minVersion'
  | 'maxVersion'
  | 'ciphers'
  | 'ecdhCurve'
  | 'sigalgs'
  | 'crl'
  | 'ALPNProtocols'
  | 'secureContext'
>;

const given =
  <T>(what: string, accepts: (value: unknown) => boolean): OptionRule<T> =>
  (value, path) => {
    if (!accepts(value)) throw new KrafkaConfigError(path, `must be ${what}, got ${describe(value)}`);
    return value as T;
  };

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isPem = (value: unknown): boolean => (typeof value === 'string' && value !== '') || value instanceof Uint8Array;
const isKeyObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ('pem' in value || 'buf' in value);
const oneOrMany =
  (accepts: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) ? value.length > 0 && value.every(accepts) : accepts(value);

const pem = <T>(): OptionRule<T | undefined> =>
  optional(given<T>('PEM text, a Buffer or an array of them', oneOrMany(isPem)));
const keys = <T>(): OptionRule<T | undefined> =>
  optional(
    given<T>(
      'a key as Node takes it',
      oneOrMany((value) => isPem(value) || isKeyObject(value)),
    ),
  );
const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
const tlsVersion = optional(oneOf(...VERSIONS));

const isAlpnName = (value: unknown): boolean =>
  typeof value === 'string'
    ? value !== '' && Buffer.byteLength(value) <= 255
    : value instanceof Uint8Array && value.length > 0 && value.length <= 255;

/** Names with their length before each, as they are sent. Node ends the process over any others. */
function areAlpnNames(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + (bytes[at] as number);
  return at > 0 && at === bytes.length;
}

const RULES: OptionRules<TlsOptions> = {
  ca: pem<TlsOptions['ca']>(),
  cert: pem<TlsOptions['cert']>(),
  key: keys<TlsOptions['key']>(),
  pfx: keys<TlsOptions['pfx']>(),
  passphrase: optional(aString),
  servername: optional((value, path) => {
    const name = aString(value, path);
    if (isIP(name) !== 0)
      throw new KrafkaConfigError(path, 'must be a name: TLS has no server name that is an IP address');
    return name;
  }),
  rejectUnauthorized: optional(aBoolean),
  checkServerIdentity: optional(aFunction<NonNullable<TlsOptions['checkServerIdentity']>>),
  minVersion: tlsVersion,
  maxVersion: tlsVersion,
  ciphers: optional(aString),
  ecdhCurve: optional(aString),
  sigalgs: optional(aString),
  crl: pem<TlsOptions['crl']>(),
  ALPNProtocols: optional(
    given<TlsOptions['ALPNProtocols']>(
      'an array of names of 1 to 255 bytes, or a Buffer of them with their lengths',
      (value) =>
        value instanceof Uint8Array
          ? areAlpnNames(value)
          : Array.isArray(value) && value.length > 0 && value.every(isAlpnName),
    ),
  ),
  secureContext: optional(
    given<SecureContext>('what tls.createSecureContext made', (value) =>
      isObject((value as Partial<SecureContext> | null)?.context),
    ),
  ),
};

/** The options that make a secure context, and would be ignored beside a ready one. */
const OF_THE_CONTEXT = [
  'ca',
  'cert',
  'key',
  'pfx',
  'passphrase',
  'minVersion',
  'maxVersion',
  'ciphers',
  'ecdhCurve',
  'sigalgs',
  'crl',
] as const;

/** How TLS is spoken; its secure context is made once, for all connections. No key or passphrase ever prints. */
export class TlsSettings {
  readonly #options: TlsOptions;
  readonly #secureContext: SecureContext;

  /** Throws KrafkaConfigError for options that are unknown, would be ignored, or hold keys that can't be read. */
  constructor(options: TlsOptions, path: string) {
    const checked = checkOptions<TlsOptions>(options, RULES, path);
    refuseWithout(checked, 'key', 'cert', path);
    refuseWithout(checked, 'cert', 'key', path);
    refuseBeside(checked, 'pfx', ['cert', 'key'], path);
    refuseBeside(checked, 'secureContext', OF_THE_CONTEXT, path);
    if (checked.passphrase !== undefined && checked.key === undefined && checked.pfx === undefined) {
      throw new KrafkaConfigError(
        `${path}.passphrase`,
        "would be ignored: there is no 'key' or 'pfx' that it could open",
      );
    }
    const { minVersion = DEFAULT_MIN_VERSION, maxVersion = DEFAULT_MAX_VERSION } = checked;
    if (VERSIONS.indexOf(minVersion) > VERSIONS.indexOf(maxVersion)) {
      throw new KrafkaConfigError(
        `${path}.maxVersion`,
        `of ${maxVersion} leaves nothing to speak from ${minVersion} on`,
      );
    }
    if (checked.rejectUnauthorized === false) {
      const ignored = (['ca', 'crl', 'checkServerIdentity'] as const).find((name) => checked[name] !== undefined);
      if (ignored !== undefined) {
        throw new KrafkaConfigError(`${path}.${ignored}`, 'would be ignored: rejectUnauthorized is false');
      }
    }
    this.#options = checked;
    this.#secureContext = checked.secureContext ?? contextOf(checked, path);
  }

  /** What `tls.connect` is to be given for a host. */
  connectOptions(host: string): NodeTlsOptions {
    const { servername, rejectUnauthorized, checkServerIdentity, ALPNProtocols } = this.#options;
    return {
      secureContext: this.#secureContext,
      servername: servername ?? (isIP(host) === 0 ? host : undefined),
      rejectUnauthorized: rejectUnauthorized ?? true,
      ...(checkServerIdentity === undefined ? undefined : { checkServerIdentity }),
      ...(ALPNProtocols === undefined ? undefined : { ALPNProtocols }),
    };
  }

  /** What may be shown of it. */
  toJSON(): Record<string, unknown> {
    const shown: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(this.#options)) {
      if (value === undefined) continue;
      const harmless =
        typeof value === 'boolean' || ['servername', 'minVersion', 'maxVersion', 'ciphers'].includes(name);
      shown[name] = harmless ? value : '[given]';
    }
    return shown;
  }

  [inspect.custom](): unknown {
    return this.toJSON();
  }
}

function contextOf(options: TlsOptions, path: string): SecureContext {
  try {
    return createSecureContext(
      Object.fromEntries(
        OF_THE_CONTEXT.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
      ),
    );
  } catch (error) {
    // OpenSSL speaks of the form of keys, never of what is in them.
    throw new KrafkaConfigError(path, `can't be used: ${(error as Error).message}`);
  }
}

function refuseWithout(options: TlsOptions, name: keyof TlsOptions, partner: keyof TlsOptions, path: string): void {
  if (options[name] !== undefined && options[partner] === undefined && options.secureContext === undefined) {
    throw new KrafkaConfigError(`${path}.${name}`, `is of no use without '${partner}'`);
  }
}

function refuseBeside(
  options: TlsOptions,
  name: keyof TlsOptions,
  others: readonly (keyof TlsOptions)[],
  path: string,
): void {
  const ignored = options[name] === undefined ? undefined : others.find((other) => options[other] !== undefined);
  if (ignored !== undefined) throw new KrafkaConfigError(`${path}.${ignored}`, `would be ignored beside '${name}'`);
}

/** `true`, `false` or Node's options, as settings; undefined for a plain connection. */
export const tlsSettings: OptionRule<TlsSettings | undefined> = (value, path) => {
  if (value === undefined || value === false) return undefined;
  if (value instanceof TlsSettings) return value;
  if (value === true) return new TlsSettings({}, path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KrafkaConfigError(path, `must be true, false or Node's TLS options, got ${describe(value)}`);
  }
  return new TlsSettings(value, path);
};
