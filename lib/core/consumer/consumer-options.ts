import {
  aBoolean,
  aFunction,
  aListOf,
  aString,
  anObjectWith,
  aWhole,
  checkOptions,
  KrafkaConfigError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
  type OptionRules,
} from '../support/index.js';
import type { OffsetSpec } from './assigned-partition.js';
import type { Deserializer, UndecodablePolicy } from './decoding/deserializer.js';
import { isAssignor, type Assignor, type AssignorName } from './group/assignor.js';
import { aPartitionNumber } from './given-partitions.js';
import type { TopicPartition } from './topic-partition.js';

/**
 * Where to begin in a partition that has no committed offset, or whose offset the broker no longer has: its first
 * record, its end, nowhere (an error), its record with the highest timestamp (KIP-734), the first record younger than so
 * many milliseconds (KIP-1106), or the first at or after a time in milliseconds since the epoch. Where no record is that
 * young, its end.
 */
export type OffsetReset =
  | 'earliest'
  | 'latest'
  | 'none'
  | 'max-timestamp'
  | { readonly durationMs: number; readonly timestamp?: undefined }
  | { readonly timestamp: number; readonly durationMs?: undefined };

/** A partition read without a group, and where to begin: `offsetReset` decides where `offset` is left out. */
export interface ManualAssignment extends TopicPartition {
  readonly offset?: number | OffsetSpec | undefined;
}

/**
 * Told of partitions that come and go. Each is awaited, never two at once, and records of the partitions flow only
 * while they are owned.
 */
export interface RebalanceListener {
  /** The partitions are this member's now; no record of them has been handed out yet. */
  assigned?(partitions: readonly TopicPartition[]): void | Promise<void>;
  /** The partitions go to somebody else: handlers have ended and what they did is committed. */
  revoked?(partitions: readonly TopicPartition[]): void | Promise<void>;
  /** The partitions are somebody else's already: nothing can be committed any more. */
  lost?(partitions: readonly TopicPartition[]): void | Promise<void>;
}

/** What a consumer may be told. Durations are milliseconds, sizes are bytes. */
export interface ConsumerOptions {
  /** The group to share the topics with. Left out, `assignments` name what is read, and nothing is committed. */
  readonly groupId?: string | undefined;
  /** The topics to subscribe to; needs `groupId`. */
  readonly topics?: readonly string[] | undefined;
  /**
   * Subscribes to every topic whose name it matches, internal ones excepted, now and in time to come; needs `groupId` and
   * excludes `topics`. It matches anywhere in a name, as `RegExp.test` does. Under the consumer protocol the coordinator
   * finds the topics (KIP-848, Kafka 4.0 and later), unless the pattern has what RE2 does without (look-around, back
   * references) or would match an internal topic: then, and in classic groups, the member does.
   */
  readonly topicPattern?: RegExp | undefined;
  /**
   * How often a member that finds the topics of `topicPattern` itself looks for them. Default 300,000 (Java's
   * `metadata.max.age.ms`). Unused while the coordinator finds them: it looks by itself, every 10 s while topics come.
   */
  readonly topicPatternIntervalMs?: number | undefined;
  /** The partitions to read without a group; excludes `groupId` and `topics`. */
  readonly assignments?: readonly ManualAssignment[] | undefined;
  /** `true` is `offsetReset: 'earliest'`, `false` is `'latest'`. Default false. Excludes `offsetReset`. */
  readonly fromBeginning?: boolean | undefined;
  /** Default 'latest', as the Java client's `auto.offset.reset`. */
  readonly offsetReset?: OffsetReset | undefined;
  /** How long the group waits for a heartbeat before it takes a member for dead. Default 45,000. Classic groups only. */
  readonly sessionTimeoutMs?: number | undefined;
  /** How often a member tells that it lives, whatever its handlers do. Default 3,000; below the session timeout. Classic groups only. */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How long a rebalance waits for this member's handlers to end. Default 300,000 (Java's `max.poll.interval.ms`). */
  readonly rebalanceTimeoutMs?: number | undefined;
  /**
   * `classic`: a leader among the members assigns. `consumer`: the coordinator does (KIP-848, Kafka 4.0 and later).
   * `auto`: the coordinator where it can, else a leader; options of classic groups make it `classic`.
   * Default 'classic', as the Java client's `group.protocol`.
   */
  readonly groupProtocol?: GroupProtocol | undefined;
  /**
   * How long a handler may take until `stats().stuck` names its partition. Default `rebalanceTimeoutMs`: whoever takes
   * longer loses the partition when the group rebalances.
   */
  readonly stuckAfterMs?: number | undefined;
  /** Makes the member static (KIP-345): a restart within the session timeout keeps its partitions. */
  readonly groupInstanceId?: string | undefined;
  /**
   * How the group's leader gives out partitions, best first; members agree on one that all know. With cooperative ones
   * only, members keep reading through a rebalance what they keep (KIP-429). Default ['range', 'cooperative-sticky'], as
   * the Java client: by range, until a rolling restart takes it off the list. Classic groups only.
   */
  readonly assignors?: readonly (AssignorName | Assignor)[] | undefined;
  /**
   * How the coordinator gives out partitions: one of the brokers' `group.consumer.assignors`, as `uniform` and `range`;
   * the group takes what most members ask for. Default: the brokers' first. Consumer protocol only (Java's
   * `group.remote.assignor`).
   */
  readonly groupRemoteAssignor?: string | undefined;
  /** Default 'read_uncommitted'. With 'read_committed' records of open and aborted transactions are not seen. */
  readonly isolationLevel?: IsolationLevel | undefined;
  /** Commits what has been processed, every `autoCommitIntervalMs`, on revocation and on close. Default true. */
  readonly autoCommit?: boolean | undefined;
  /** Default 5,000. */
  readonly autoCommitIntervalMs?: number | undefined;
  /** Default 1: a fetch is answered as soon as there is anything. */
  readonly fetchMinBytes?: number | undefined;
  /** The most a broker answers to one fetch. Default 52,428,800 (50 MiB). */
  readonly fetchMaxBytes?: number | undefined;
  /** How long a broker holds a fetch that finds less than `fetchMinBytes`. Default 500. */
  readonly fetchMaxWaitMs?: number | undefined;
  /**
   * The most a broker answers to one fetch for one partition. Default 1,048,576 (1 MiB); less is asked for while that keeps
   * handlers busy.
   */
  readonly maxPartitionFetchBytes?: number | undefined;
  /**
   * The bound of what is read ahead of the handlers, bytes, shared out among the partitions; no partition is given less than
   * 32 KiB, so beyond `bufferBytes` / 32 KiB of them (2,048) that is the bound. Default 67,108,864 (64 MiB).
   */
  readonly bufferBytes?: number | undefined;
  /** The most that one compressed batch may become. Default 104,857,600 (100 MiB). */
  readonly maxDecompressedBytes?: number | undefined;
  /**
   * Where this consumer runs (`client.rack`, KIP-392): a replica there is read rather than the leader. The group is told;
   * the assignors here do not go by it (KIP-881).
   */
  readonly rack?: string | undefined;
  /** How long a request that is not held by the broker may take. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** The budget of a call that may need several requests: `commit()`, `committed()`, `seek()`. Default 60,000. */
  readonly defaultApiTimeoutMs?: number | undefined;
  /** How long `start()` waits for the brokers, and for topics that are not there (yet). Default 10,000. */
  readonly startTimeoutMs?: number | undefined;
  /** Turns the bytes of keys into what they stand for. With one of the two, records come as `DecodedRecord`s. */
  readonly keyDeserializer?: Deserializer<unknown> | undefined;
  /** Turns the bytes of values into what they stand for. */
  readonly valueDeserializer?: Deserializer<unknown> | undefined;
  /** What becomes of a record that a deserializer can't read. Default 'fail'. Needs a deserializer. */
  readonly onUndecodable?: UndecodablePolicy | undefined;
  /** Awaited when partitions come and go. */
  readonly rebalanceListener?: RebalanceListener | undefined;
}

/** {@link ConsumerOptions} with at least one deserializer: what is not deserialized comes as bytes. */
export type DecodingConsumerOptions<Key, Value> = ConsumerOptions &
  (
    | { readonly keyDeserializer: Deserializer<Key>; readonly valueDeserializer: Deserializer<Value> }
    | { readonly valueDeserializer: Deserializer<Value> }
    | { readonly keyDeserializer: Deserializer<Key> }
  );

/** Who assigns: the group's leader among its members, the coordinator (KIP-848), or whichever both sides know. */
export type GroupProtocol = 'auto' | 'classic' | 'consumer';
export type IsolationLevel = 'read_uncommitted' | 'read_committed';

/** {@link ConsumerOptions} as checked: defaults filled in, what depends on one another settled. */
export interface ConsumerSettings extends Omit<
  { readonly [Key in keyof ConsumerOptions]-?: Exclude<ConsumerOptions[Key], undefined> },
  | 'groupId'
  | 'topics'
  | 'topicPattern'
  | 'assignments'
  | 'fromBeginning'
  | 'groupInstanceId'
  | 'groupRemoteAssignor'
  | 'rack'
  | 'keyDeserializer'
  | 'valueDeserializer'
> {
  readonly groupId: string | undefined;
  readonly topics: readonly string[];
  readonly topicPattern: RegExp | undefined;
  readonly assignments: readonly ManualAssignment[];
  readonly groupInstanceId: string | undefined;
  readonly groupRemoteAssignor: string | undefined;
  readonly rack: string;
  readonly keyDeserializer: Deserializer<unknown> | undefined;
  readonly valueDeserializer: Deserializer<unknown> | undefined;
}

const MAX_INT32 = 2_147_483_647;
const MAX_TOPIC_LENGTH = 249;

const aTopic: OptionRule<string> = (value, path) => {
  const name = aString(value, path);
  if (name.length > MAX_TOPIC_LENGTH || name === '.' || name === '..' || !/^[A-Za-z0-9._-]+$/.test(name)) {
    throw new KrafkaConfigError(
      path,
      `names no topic that can exist: letters, digits, '.', '_' and '-', ${MAX_TOPIC_LENGTH} at most`,
    );
  }
  return name;
};

const aTimestamp: OptionRule<{ timestamp: number }> = (value, path) =>
  checkOptions<{ timestamp: number }>(value, { timestamp: aWhole('milliseconds', 0) }, path);

const anOffset: OptionRule<number | OffsetSpec> = (value, path) => {
  if (typeof value === 'number') return aWhole('offset', 0)(value, path);
  if (typeof value === 'object' && value !== null) return aTimestamp(value, path);
  return oneOf('earliest', 'latest', 'max-timestamp')(value, path);
};

const anAssignment: OptionRule<ManualAssignment> = (value, path) =>
  checkOptions<ManualAssignment>(
    value,
    { topic: aTopic, partition: aPartitionNumber, offset: optional(anOffset) },
    path,
  );

const anOffsetReset: OptionRule<OffsetReset> = (value, path) => {
  if (typeof value !== 'object' || value === null) {
    return oneOf('earliest', 'latest', 'none', 'max-timestamp')(value, path);
  }
  return 'timestamp' in value
    ? aTimestamp(value, path)
    : checkOptions<{ durationMs: number }>(value, { durationMs: aWhole('milliseconds', 1) }, path);
};

const anAssignor: OptionRule<AssignorName | Assignor> = (value, path) =>
  isAssignor(value) ? value : oneOf('range', 'roundrobin', 'cooperative-sticky')(value, path);

const aRegExp: OptionRule<RegExp> = (value, path) => {
  if (!(value instanceof RegExp)) throw new KrafkaConfigError(path, 'must be a RegExp');
  return value;
};

const aListener: OptionRule<RebalanceListener> = (value, path) => {
  if (typeof value !== 'object' || value === null) throw new KrafkaConfigError(path, 'must be an object');
  for (const name of ['assigned', 'revoked', 'lost'] as const) {
    optional(aFunction)((value as RebalanceListener)[name], `${path}.${name}`);
  }
  return value;
};

const milliseconds = (fallback: number, least = 1): OptionRule<number> =>
  withDefault(aWhole('milliseconds', least, MAX_INT32), fallback);
const bytes = (fallback: number, least = 1): OptionRule<number> =>
  withDefault(aWhole('bytes', least, MAX_INT32), fallback);

type Rules = OptionRules<ConsumerOptions>;

const RULES: Rules = {
  groupId: optional(aString),
  topics: optional(aListOf(aTopic)),
  topicPattern: optional(aRegExp),
  topicPatternIntervalMs: milliseconds(300_000),
  assignments: optional(aListOf(anAssignment)),
  fromBeginning: optional(aBoolean),
  offsetReset: optional(anOffsetReset),
  sessionTimeoutMs: milliseconds(45_000),
  heartbeatIntervalMs: milliseconds(3_000),
  rebalanceTimeoutMs: milliseconds(300_000),
  stuckAfterMs: optional(aWhole('milliseconds', 1, MAX_INT32)),
  groupProtocol: withDefault(oneOf('auto', 'classic', 'consumer'), 'classic'),
  groupInstanceId: optional(aString),
  assignors: withDefault(aListOf(anAssignor), ['range', 'cooperative-sticky']),
  groupRemoteAssignor: optional(aString),
  isolationLevel: withDefault(oneOf('read_uncommitted', 'read_committed'), 'read_uncommitted'),
  autoCommit: withDefault(aBoolean, true),
  autoCommitIntervalMs: milliseconds(5_000),
  fetchMinBytes: bytes(1),
  fetchMaxBytes: bytes(50 * 1024 * 1024),
  fetchMaxWaitMs: milliseconds(500, 0),
  maxPartitionFetchBytes: bytes(1024 * 1024),
  bufferBytes: bytes(64 * 1024 * 1024, 64 * 1024),
  maxDecompressedBytes: bytes(100 * 1024 * 1024),
  rack: optional(aString),
  requestTimeoutMs: milliseconds(30_000),
  defaultApiTimeoutMs: milliseconds(60_000),
  startTimeoutMs: milliseconds(10_000),
  keyDeserializer: optional(anObjectWith<Deserializer<unknown>>('deserialize')),
  valueDeserializer: optional(anObjectWith<Deserializer<unknown>>('deserialize')),
  onUndecodable: optional(oneOf('fail', 'skip', 'deliver')),
  rebalanceListener: withDefault(aListener, {}),
};

/** Options that mean nothing without a group: given without `groupId` they would be ignored, so they are refused. */
const OF_A_GROUP = [
  'topics',
  'topicPattern',
  'topicPatternIntervalMs',
  'sessionTimeoutMs',
  'heartbeatIntervalMs',
  'rebalanceTimeoutMs',
  'groupProtocol',
  'groupInstanceId',
  'assignors',
  'groupRemoteAssignor',
  'autoCommit',
  'autoCommitIntervalMs',
  'rebalanceListener',
] as const satisfies readonly (keyof ConsumerOptions)[];

/** Options that only a classic group has: under the consumer protocol the coordinator decides. */
const OF_CLASSIC_GROUPS = [
  'sessionTimeoutMs',
  'heartbeatIntervalMs',
  'assignors',
] as const satisfies readonly (keyof ConsumerOptions)[];

/**
 * Checks what a consumer is told as a whole and fills in the defaults.
 *
 * @throws KrafkaConfigError naming the option that is unknown, out of range, contradicts another or would be ignored
 */
export function consumerSettings(options: ConsumerOptions, path = ''): ConsumerSettings {
  const checked = checkOptions<ConsumerOptions>(options, RULES, path);
  const refuse = (option: keyof ConsumerOptions, problem: string): never => {
    throw new KrafkaConfigError(path === '' ? option : `${path}.${option}`, problem);
  };
  if (checked.assignments !== undefined) {
    if (checked.groupId !== undefined) refuse('assignments', "can't be combined with 'groupId': a group assigns");
    if (checked.topics !== undefined) refuse('assignments', "can't be combined with 'topics'");
    refuseTwice(checked.assignments, (index) => refuse('assignments', `names the same partition twice, at ${index}`));
  }
  if (checked.groupId === undefined) {
    for (const option of OF_A_GROUP) {
      if (options[option] !== undefined) refuse(option, "needs 'groupId': without a group it would be ignored");
    }
  }
  if (checked.topicPattern !== undefined && checked.topics !== undefined) {
    refuse('topicPattern', "can't be combined with 'topics'");
  }
  if (checked.topicPattern === undefined && options.topicPatternIntervalMs !== undefined) {
    refuse('topicPatternIntervalMs', "needs 'topicPattern': it would be ignored");
  }
  if (checked.fromBeginning !== undefined && checked.offsetReset !== undefined) {
    refuse('fromBeginning', "can't be combined with 'offsetReset': they say the same");
  }
  if (
    checked.onUndecodable !== undefined &&
    checked.keyDeserializer === undefined &&
    checked.valueDeserializer === undefined
  ) {
    refuse('onUndecodable', "needs 'keyDeserializer' or 'valueDeserializer': it would be ignored");
  }
  if (new Set(checked.topics).size !== (checked.topics ?? []).length) refuse('topics', 'names a topic twice');
  const { sessionTimeoutMs = 0, heartbeatIntervalMs = 0, assignors = [] } = checked;
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    refuse(
      'heartbeatIntervalMs',
      `must be below sessionTimeoutMs of ${sessionTimeoutMs} ms, a third of it at most is wise`,
    );
  }
  if (assignors.length === 0) refuse('assignors', 'must name at least one');
  if (checked.autoCommit === false && options.autoCommitIntervalMs !== undefined) {
    refuse('autoCommitIntervalMs', "would be ignored with 'autoCommit: false'");
  }
  const classic = OF_CLASSIC_GROUPS.find((option) => options[option] !== undefined);
  if (checked.groupProtocol === 'consumer' && classic !== undefined) {
    refuse(classic, "would be ignored with 'groupProtocol: consumer': there it is the coordinator's own");
  }
  const groupProtocol = classic === undefined ? (checked.groupProtocol ?? 'classic') : 'classic';
  if (checked.groupRemoteAssignor !== undefined && groupProtocol === 'classic') {
    refuse('groupRemoteAssignor', "would be ignored: in a classic group a leader assigns, by 'assignors'");
  }
  const { fromBeginning, ...rest } = checked;
  return Object.freeze({
    ...(rest as ConsumerSettings),
    topics: checked.topics ?? [],
    assignments: checked.assignments ?? [],
    groupProtocol,
    offsetReset: checked.offsetReset ?? (fromBeginning === true ? 'earliest' : 'latest'),
    rack: checked.rack ?? '',
    onUndecodable: checked.onUndecodable ?? 'fail',
    stuckAfterMs: checked.stuckAfterMs ?? checked.rebalanceTimeoutMs ?? 0,
  });
}

function refuseTwice(assignments: readonly ManualAssignment[], refuse: (index: number) => void): void {
  const seen = new Set<string>();
  assignments.forEach(({ topic, partition }, index) => {
    const key = `${topic}/${partition}`;
    if (seen.has(key)) refuse(index);
    seen.add(key);
  });
}

/** Checks partitions given to `assign()` as the option of the same name is checked. */
export const checkAssignments = (given: readonly ManualAssignment[]): readonly ManualAssignment[] =>
  consumerSettings({ assignments: given }).assignments;

/** Checks topics given to `subscribe()` as the option of the same name is checked. */
export const checkTopics = (given: readonly string[]): readonly string[] =>
  consumerSettings({ groupId: 'any', topics: given }).topics;
