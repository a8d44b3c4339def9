/** The type of a configuration's value, as DescribeConfigs numbers it. */
const TYPE = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const;

/** Where a configuration's value comes from, as DescribeConfigs numbers it. */
export const CONFIG_SOURCE = { topic: 1, cluster: 3, default: 5 } as const;

interface KnownConfig {
  readonly type: keyof typeof TYPE;
  readonly fallback: string;
  readonly least?: number;
  readonly most?: number;
  readonly oneOf?: readonly string[];
  /** What else is asked of a value; answers what is wrong with it. */
  readonly rule?: (value: string) => string | undefined;
  /** Where the value comes from when the topic has none of its own. */
  readonly source?: number;
}

/** The numbers that Java's types hold. */
const JAVA_RANGE = { int: [-(2n ** 31n), 2n ** 31n - 1n], long: [-(2n ** 63n), 2n ** 63n - 1n] } as const;

const gzipLevel = (value: string): string | undefined =>
  value === '-1' || (Number(value) >= 1 && Number(value) <= 9)
    ? undefined
    : 'Value must be between 1 and 9 or equal to -1';

const LONGEST = '9223372036854775807';
const known = (type: keyof typeof TYPE, fallback: string, limits: Omit<KnownConfig, 'type' | 'fallback'> = {}) => ({
  type,
  fallback,
  ...limits,
});

/** Kafka's topic configurations with their defaults (Kafka 4.x). */
const KNOWN: Readonly<Record<string, KnownConfig>> = {
  'cleanup.policy': known('list', 'delete', { oneOf: ['compact', 'delete'] }),
  'compression.gzip.level': known('int', '-1', { rule: gzipLevel }),
  'compression.lz4.level': known('int', '9', { least: 1, most: 17 }),
  'compression.type': known('string', 'producer', {
    oneOf: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
  }),
  'compression.zstd.level': known('int', '3', { least: -131_072, most: 22 }),
  'delete.retention.ms': known('long', '86400000', { least: 0 }),
  'file.delete.delay.ms': known('long', '60000', { least: 0 }),
  'flush.messages': known('long', LONGEST, { least: 1 }),
  'flush.ms': known('long', LONGEST, { least: 0 }),
  'follower.replication.throttled.replicas': known('list', ''),
  'index.interval.bytes': known('int', '4096', { least: 0 }),
  'leader.replication.throttled.replicas': known('list', ''),
  'local.retention.bytes': known('long', '-2', { least: -2 }),
  'local.retention.ms': known('long', '-2', { least: -2 }),
  'max.compaction.lag.ms': known('long', LONGEST, { least: 1 }),
  'max.message.bytes': known('int', '1048588', { least: 0 }),
  'message.timestamp.after.max.ms': known('long', '3600000', { least: 0 }),
  'message.timestamp.before.max.ms': known('long', LONGEST, { least: 0 }),
  'message.timestamp.type': known('string', 'CreateTime', { oneOf: ['CreateTime', 'LogAppendTime'] }),
  'min.cleanable.dirty.ratio': known('double', '0.5', { least: 0, most: 1 }),
  'min.compaction.lag.ms': known('long', '0', { least: 0 }),
  // A cluster that tracks eligible leaders has a value of its own for it (KIP-966).
  'min.insync.replicas': known('int', '1', { least: 1, source: CONFIG_SOURCE.cluster }),
  preallocate: known('boolean', 'false'),
  'remote.log.copy.disable': known('boolean', 'false'),
  'remote.log.delete.on.disable': known('boolean', 'false'),
  'remote.storage.enable': known('boolean', 'false'),
  'retention.bytes': known('long', '-1'),
  'retention.ms': known('long', '604800000', { least: -1 }),
  'segment.bytes': known('int', '1073741824', { least: 1_048_576 }),
  'segment.index.bytes': known('int', '10485760', { least: 4 }),
  'segment.jitter.ms': known('long', '0', { least: 0 }),
  'segment.ms': known('long', '604800000', { least: 1 }),
  'unclean.leader.election.enable': known('boolean', 'false'),
};

/** One configuration as DescribeConfigs and CreateTopics show it. */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly configType: number;
}

/** What is wrong with a configuration in words, undefined when Kafka would take it. */
export function configProblem(name: string, value: string | null): string | undefined {
  const config = KNOWN[name];
  if (config === undefined) return `Unknown topic config name: ${name}`;
  if (value === null) return `Null value not supported for topic configs: ${name}`;
  if (THROTTLED.has(name)) return throttledProblem(name, listOf(value));
  if (name === 'remote.storage.enable' && /^true$/i.test(value.trim())) {
    return 'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.';
  }
  if (config.type === 'list') {
    const stranger = listOf(value).find((word) => config.oneOf?.includes(word) === false);
    return stranger === undefined
      ? undefined
      : invalid(name, stranger, `String must be one of: ${config.oneOf?.join(', ')}`);
  }
  const problem = valueProblem(config, value.trim());
  return problem === undefined ? undefined : invalid(name, value, problem);
}

/** What is wrong with the configurations of one topic together: names first, then values, then how they go together. */
export function configsProblem(configs: ReadonlyMap<string, string | null>): string | undefined {
  const unknown = [...configs.keys()].find((name) => KNOWN[name] === undefined);
  if (unknown !== undefined) return `Unknown topic config name: ${unknown}`;
  for (const [name, value] of configs) {
    const problem = configProblem(name, value);
    if (problem !== undefined) return problem;
  }
  const [least, most] = ['min.compaction.lag.ms', 'max.compaction.lag.ms'].map((name) =>
    BigInt(configs.get(name) ?? KNOWN[name]?.fallback ?? 0),
  ) as [bigint, bigint];
  return least <= most
    ? undefined
    : `conflict topic config setting min.compaction.lag.ms (${least}) > max.compaction.lag.ms (${most})`;
}

const invalid = (name: string, value: string, problem: string): string =>
  `Invalid value ${value} for configuration ${name}: ${problem}`;

const THROTTLED: ReadonlySet<string> = new Set([
  'follower.replication.throttled.replicas',
  'leader.replication.throttled.replicas',
]);

function throttledProblem(name: string, words: readonly string[]): string | undefined {
  if (words[0] === '*' || words.every((word) => /^\d+:\d+$/.test(word))) return undefined;
  const format = '[partitionId]:[brokerId],[partitionId]:[brokerId],...';
  const rule = `${name} must be the literal '*' or a list of replicas in the following format: ${format}`;
  return invalid(name, `[${words.join(', ')}]`, rule);
}

function valueProblem(config: KnownConfig, value: string): string | undefined {
  switch (config.type) {
    case 'boolean':
      return /^(true|false)$/i.test(value) ? undefined : 'Expected value to be either true or false';
    case 'int':
    case 'long': {
      const [low, high] = JAVA_RANGE[config.type];
      const isNumber = /^[+-]?\d+$/.test(value) && BigInt(value) >= low && BigInt(value) <= high;
      if (!isNumber) return `Not a number of type ${config.type.toUpperCase()}`;
      return rangeProblem(config, value) ?? config.rule?.(value);
    }
    case 'double':
      return value === '' || Number.isNaN(Number(value)) ? 'Not a number of type DOUBLE' : rangeProblem(config, value);
    case 'string':
    case 'list':
      return config.oneOf?.includes(value) === false ? `String must be one of: ${config.oneOf.join(', ')}` : undefined;
  }
}

function rangeProblem({ least = -Infinity, most = Infinity }: KnownConfig, value: string): string | undefined {
  if (Number(value) < least) return `Value must be at least ${least}`;
  return Number(value) > most ? `Value must be no more than ${most}` : undefined;
}

export const isListConfig = (name: string): boolean => KNOWN[name]?.type === 'list';

/** The words of a list configuration. */
export const listOf = (value: string): readonly string[] =>
  value
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');

/** A topic's configuration: what was set on it, over Kafka's defaults. */
export class TopicConfig {
  readonly #set: Map<string, string>;
  #maxMessageBytes = 0;
  #logAppendTime = false;
  #timestampBeforeMaxMs = 0;
  #timestampAfterMaxMs = 0;
  #isCompacted = false;

  constructor(set: Iterable<readonly [string, string]> = []) {
    this.#set = new Map(set);
    this.#digest();
  }

  value(name: string): string {
    return this.#set.get(name) ?? KNOWN[name]?.fallback ?? '';
  }

  number(name: string): number {
    return Number(this.value(name));
  }

  /** What was set on the topic itself. */
  overrides(): ReadonlyMap<string, string> {
    return this.#set;
  }

  set(name: string, value: string | undefined): void {
    if (value === undefined) this.#set.delete(name);
    else this.#set.set(name, value);
    this.#digest();
  }

  // Looked at with every produced batch, so kept as numbers.
  get maxMessageBytes(): number {
    return this.#maxMessageBytes;
  }
  get logAppendTime(): boolean {
    return this.#logAppendTime;
  }
  get timestampBeforeMaxMs(): number {
    return this.#timestampBeforeMaxMs;
  }
  get timestampAfterMaxMs(): number {
    return this.#timestampAfterMaxMs;
  }
  get minInsyncReplicas(): number {
    return this.number('min.insync.replicas');
  }
  /** Whether old records may go (cleanup.policy): of a topic that is only compacted none may. */
  get deletesRecords(): boolean {
    return listOf(this.value('cleanup.policy')).includes('delete');
  }
  get isCompacted(): boolean {
    return this.#isCompacted;
  }

  /** Every configuration, or the named ones, by name. */
  entries(names: readonly string[] | null = null): readonly ConfigEntry[] {
    return Object.entries(KNOWN)
      .filter(([name]) => names === null || names.includes(name))
      .map(([name, { type, source = CONFIG_SOURCE.default }]) => ({
        name,
        value: this.value(name),
        readOnly: false,
        configSource: this.#set.has(name) ? CONFIG_SOURCE.topic : source,
        isSensitive: false,
        configType: TYPE[type],
      }));
  }

  #digest(): void {
    this.#maxMessageBytes = this.number('max.message.bytes');
    this.#isCompacted = listOf(this.value('cleanup.policy')).includes('compact');
    this.#logAppendTime = this.value('message.timestamp.type') === 'LogAppendTime';
    this.#timestampBeforeMaxMs = this.number('message.timestamp.before.max.ms');
    this.#timestampAfterMaxMs = this.number('message.timestamp.after.max.ms');
  }
}
