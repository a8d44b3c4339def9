import { describe, KrafkaConfigError, type OptionRule } from '../core/support/index.js';
import type { KrafkaServerConsumerOptions } from './options.js';

const OF_HANDLERS = 'is not for a server: its handlers decide that';
// Handlers, answers and dead letters are made of the bytes as they were read.
const OF_PAYLOADS = "is not for a server: use the option 'serde', or 'deserializer'";
const OF_FAILING = "is not for a server: what can't be read is a failure, see the option 'onFailure'";

const NOT_OF_A_SERVER: readonly (readonly [name: string, problem: string])[] = [
  ['topics', OF_HANDLERS],
  ['topicPattern', OF_HANDLERS],
  ['assignments', OF_HANDLERS],
  ['rebalanceListener', OF_HANDLERS],
  ['autoCommit', OF_HANDLERS],
  ['keyDeserializer', OF_PAYLOADS],
  ['valueDeserializer', OF_PAYLOADS],
  ['onUndecodable', OF_FAILING],
];

/** Checks how a group reads, but for what the core checks itself. @throws KrafkaConfigError naming the option, `path` in front */
export const checkGroupOptions: OptionRule<KrafkaServerConsumerOptions> = (value = {}, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KrafkaConfigError(path, `must be an object, got ${describe(value)}`);
  }
  for (const [name, problem] of NOT_OF_A_SERVER) {
    if ((value as Record<string, unknown>)[name] !== undefined) {
      throw new KrafkaConfigError(`${path}.${name}`, problem);
    }
  }
  return value;
};
