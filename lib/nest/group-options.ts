import { describe, KrafkaConfigError, type OptionRule } from '../core/support/index.js';
import type { KrafkaServerConsumerOptions } from './options.js';

/** Options that a handler's decorators, or the transport itself, decide. */
const NOT_OF_A_SERVER = ['topics', 'assignments', 'rebalanceListener', 'autoCommit'];

/** Checks how a group reads, but for what the core checks itself. @throws KrafkaConfigError naming the option, `path` in front */
export const checkGroupOptions: OptionRule<KrafkaServerConsumerOptions> = (value = {}, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KrafkaConfigError(path, `must be an object, got ${describe(value)}`);
  }
  for (const name of NOT_OF_A_SERVER) {
    if ((value as Record<string, unknown>)[name] !== undefined) {
      throw new KrafkaConfigError(`${path}.${name}`, 'is not for a server: its handlers decide that');
    }
  }
  return value;
};
