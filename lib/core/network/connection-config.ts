import { inspect } from 'node:util';
import { aString, aWhole, checkOptions, KrafkaConfigError, withDefault, type OptionRule } from '../support/index.js';
import type { ConnectionOptions } from './connection-options.js';
import { saslMechanism, type SaslMechanism } from './sasl/index.js';
import { tlsSettings, type TlsSettings } from './tls-settings.js';

/** A day: no request or attempt to connect is waited for longer. */
const MOST_WAITING_MS = 86_400_000;
/** What a timer takes, and a frame's length. */
const INT32_MAX = 2_147_483_647;

const aDuration = (fallback: number, least: number, most: number): OptionRule<number> =>
  withDefault(aWhole('milliseconds', least, most), fallback);

/** A client id goes into every request in a field of 32,767 bytes; broker metrics are named after it. */
const aClientId: OptionRule<string> = (value, path) => {
  const text = aString(value, path);
  if (Buffer.byteLength(text) > 249) throw new KrafkaConfigError(path, 'must be at most 249 bytes long');
  return text;
};

const optionalSasl: OptionRule<SaslMechanism | undefined> = (value, path) =>
  value === undefined ? undefined : saslMechanism(value, path);

const RULES = {
  clientId: withDefault(aClientId, 'krafka'),
  connectionsPerBroker: withDefault(aWhole('connections', 1, 64), 1),
  highPriorityChannelCapacity: withDefault(aWhole('requests', 1, 1_000_000), 64),
  normalPriorityChannelCapacity: withDefault(aWhole('requests', 1, 1_000_000), 256),
  maxInFlight: withDefault(aWhole('requests', 1, 1_000), 5),
  requestTimeoutMs: aDuration(30_000, 1, MOST_WAITING_MS),
  connectTimeoutMs: aDuration(10_000, 1, MOST_WAITING_MS),
  idleTimeoutMs: aDuration(540_000, 0, INT32_MAX),
  maxResponseSize: withDefault(aWhole('bytes', 1_024, INT32_MAX), 100 * 1024 * 1024),
  reconnectBackoffMs: aDuration(50, 1, MOST_WAITING_MS),
  reconnectBackoffMaxMs: aDuration(1_000, 1, MOST_WAITING_MS),
  keepAliveMs: aDuration(30_000, 0, INT32_MAX),
  tls: tlsSettings,
  sasl: optionalSasl,
};

/**
 * How brokers are connected to: checked as a whole, completed with defaults, frozen. It can be printed, dumped and
 * injected: passwords, keys and tokens are out of reach of `inspect()` and `JSON.stringify()`.
 */
export class ConnectionConfig {
  readonly clientId: string;
  readonly connectionsPerBroker: number;
  readonly highPriorityChannelCapacity: number;
  readonly normalPriorityChannelCapacity: number;
  readonly maxInFlight: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxResponseSize: number;
  readonly reconnectBackoffMs: number;
  readonly reconnectBackoffMaxMs: number;
  readonly keepAliveMs: number;
  /** Undefined for plain connections. */
  readonly tls: TlsSettings | undefined;
  /** Undefined for connections that prove nothing. */
  readonly sasl: SaslMechanism | undefined;

  /**
   * Throws KrafkaConfigError, naming the option (`connection.tls.ca`, with `path` in front), when one is unknown, of
   * the wrong kind, out of range, or would be ignored.
   */
  constructor(options: ConnectionOptions = {}, path = '') {
    const checked = checkOptions<CheckedOptions>(options, RULES, path);
    this.clientId = checked.clientId;
    this.connectionsPerBroker = checked.connectionsPerBroker;
    this.highPriorityChannelCapacity = checked.highPriorityChannelCapacity;
    this.normalPriorityChannelCapacity = checked.normalPriorityChannelCapacity;
    this.maxInFlight = checked.maxInFlight;
    this.requestTimeoutMs = checked.requestTimeoutMs;
    this.connectTimeoutMs = checked.connectTimeoutMs;
    this.idleTimeoutMs = checked.idleTimeoutMs;
    this.maxResponseSize = checked.maxResponseSize;
    this.reconnectBackoffMs = checked.reconnectBackoffMs;
    this.reconnectBackoffMaxMs = checked.reconnectBackoffMaxMs;
    this.keepAliveMs = checked.keepAliveMs;
    this.tls = checked.tls;
    this.sasl = checked.sasl;
    if (this.reconnectBackoffMaxMs < this.reconnectBackoffMs) {
      const name = path === '' ? 'reconnectBackoffMaxMs' : `${path}.reconnectBackoffMaxMs`;
      throw new KrafkaConfigError(name, `must not be below reconnectBackoffMs, which is ${this.reconnectBackoffMs}`);
    }
    Object.freeze(this);
  }

  /** A config of these options, or the config itself when it is one already. Throws KrafkaConfigError. */
  static from(options: ConnectionOptions | ConnectionConfig = {}, path = ''): ConnectionConfig {
    return options instanceof ConnectionConfig ? options : new ConnectionConfig(options, path);
  }

  /** This config but for the options named. Throws KrafkaConfigError. */
  with(changes: ConnectionOptions): ConnectionConfig {
    // Settings and mechanisms are options as well, so a config can be read as the options of another.
    return new ConnectionConfig({ ...(this as ConnectionOptions), ...changes });
  }

  /** What may be shown: everything but secrets. */
  toJSON(): Record<string, unknown> {
    const { tls, sasl, ...plain }: ConnectionConfig = this;
    return { ...plain, tls: tls?.toJSON() ?? false, sasl: sasl === undefined ? undefined : { mechanism: sasl.name } };
  }

  [inspect.custom](): unknown {
    return this.toJSON();
  }
}

type CheckedOptions = { -readonly [Key in keyof typeof RULES]: ReturnType<(typeof RULES)[Key]> };
