import { parseBrokers } from '../core/cluster/index.js';
import { ConnectionConfig, type ConnectionOptions } from '../core/network/index.js';
import type { CoreSettings } from './shared-krafka.js';

/** Where a testing module points every Krafka of an application, whatever its own options say. */
export interface TestingTarget {
  readonly brokers: string | readonly string[];
  /** What the target asks of connections in place of the application's TLS and SASL. Default: neither. */
  readonly connection?: Pick<ConnectionOptions, 'tls' | 'sasl'> | undefined;
}

/** The token of the {@link TestingTarget}; where nobody provides it, the options hold. */
export const TESTING_TARGET = Symbol('KRAFKA_TESTING_TARGET');

/** The settings with the target's cluster in place of their own, where there is a target. */
export function pointedAt<Settings extends CoreSettings>(
  settings: Settings,
  target: TestingTarget | undefined,
): Settings {
  if (target === undefined) return settings;
  const own = settings.connection ?? {};
  const connection =
    own instanceof ConnectionConfig
      ? own.with({ tls: false, sasl: undefined, ...target.connection })
      : { ...own, tls: undefined, sasl: undefined, ...target.connection };
  return Object.freeze({ ...settings, brokers: parseBrokers(target.brokers, 'brokers'), connection });
}
