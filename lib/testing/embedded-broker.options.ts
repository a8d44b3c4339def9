import {
  KrafkaConfigError,
  aBoolean,
  aString,
  aWhole,
  anObjectWith,
  checkOptions,
  describe,
  oneOf,
  optional,
  systemClock,
  systemRandom,
  withDefault,
  type Clock,
  type OptionRule,
  type Random,
} from '../core/support/index.js';
import { topicNameProblem } from './cluster/topic-name.js';
import type { ApiVersionLimits } from './server/offered-apis.js';
import type { EmbeddedTls } from './server/node-server.js';
import type { EmbeddedSasl } from './server/sasl.js';

/** How an embedded broker is to be. Every option may be left out. */
export interface EmbeddedBrokerOptions {
  /** How many nodes the cluster has, each on a port of its own. Default 1. Their ids begin at 1. */
  readonly brokers?: number;
  /** Topics that are there from the start, with their numbers of partitions. */
  readonly topics?: Readonly<Record<string, number>>;
  /** Whether a topic that a client asks for is made, with one partition (Kafka's auto.create.topics.enable). Default false. */
  readonly autoCreateTopics?: boolean;
  /** Versions offered, to act as an older broker. Default: all that are served. */
  readonly apiVersions?: ApiVersionLimits;
  /**
   * How transactions are done (the feature `transaction.version`): 2 is KIP-890's way, 1 and 0 the older one, whatever versions
   * of the requests are offered. Default: 2 where EndTxn v5 is offered, else 0.
   */
  readonly transactionVersion?: 0 | 1 | 2;
  /** Clients must authenticate. Default: they need not. */
  readonly sasl?: EmbeddedSasl;
  /** Speaks TLS. Default: plain text. */
  readonly tls?: EmbeddedTls;
  /** Kafka's group.initial.rebalance.delay.ms. Default 0, where Kafka has 3,000. */
  readonly groupInitialRebalanceDelayMs?: number;
  /** Kafka's group.min.session.timeout.ms. Default 6,000. */
  readonly groupMinSessionTimeoutMs?: number;
  /** Kafka's group.max.session.timeout.ms. Default 1,800,000. */
  readonly groupMaxSessionTimeoutMs?: number;
  /** Kafka's group.consumer.session.timeout.ms (KIP-848). Default 45,000. */
  readonly groupConsumerSessionTimeoutMs?: number;
  /** Kafka's group.consumer.heartbeat.interval.ms (KIP-848). Default 5,000. */
  readonly groupConsumerHeartbeatIntervalMs?: number;
  /** Kafka's group.consumer.assignment.interval.ms (KIP-848). Default 0, where Kafka has 1,000. */
  readonly groupConsumerAssignmentIntervalMs?: number;
  /** Fetch sessions a node keeps (Kafka's max.incremental.fetch.session.cache.slots). Default 1,000. */
  readonly fetchSessionSlots?: number;
  /** What the broker takes the time from. Default: the machine's clock. */
  readonly clock?: Clock;
  /** Where its ids come from. Default: the machine's randomness. */
  readonly random?: Random;
}

/** What has no default of its own. */
type Absent = 'sasl' | 'tls' | 'transactionVersion';

/** Options, checked, with every default in place. */
export type CheckedOptions = Readonly<
  Required<Omit<EmbeddedBrokerOptions, Absent>> & Pick<EmbeddedBrokerOptions, Absent>
>;

const LONGEST_MS = 2_147_483_647;

const someTopics: OptionRule<Readonly<Record<string, number>>> = (value, path) => {
  if (typeof value !== 'object' || value === null) {
    throw new KrafkaConfigError(path, `must be an object of partition counts by name, got ${describe(value)}`);
  }
  for (const [name, partitions] of Object.entries(value)) {
    const problem = topicNameProblem(name);
    if (problem !== undefined) throw new KrafkaConfigError(`${path}.${name}`, `is no topic name: ${problem}`);
    aWhole('partitions', 1, 10_000)(partitions, `${path}.${name}`);
  }
  return value as Readonly<Record<string, number>>;
};

// The names and ranges are checked against what is served when the broker is made.
const limits: OptionRule<ApiVersionLimits> = (value, path) => {
  if (typeof value !== 'object' || value === null) {
    throw new KrafkaConfigError(path, `must be an object of limits by API, got ${describe(value)}`);
  }
  return value;
};

const pem: OptionRule<string | Buffer> = (value, path) => (Buffer.isBuffer(value) ? value : aString(value, path));

const tls: OptionRule<EmbeddedTls> = (value, path) =>
  checkOptions<EmbeddedTls>(value, { key: pem, cert: pem, clientCa: optional(pem) }, path);

const MECHANISMS: readonly string[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

const mechanism: OptionRule<EmbeddedSasl['mechanism']> = (value, path) => {
  const given = typeof value === 'string' ? value.toUpperCase() : undefined;
  if (given === undefined || !MECHANISMS.includes(given)) {
    throw new KrafkaConfigError(path, `must be one of ${MECHANISMS.join(', ')}`);
  }
  return given as EmbeddedSasl['mechanism'];
};

const users: OptionRule<EmbeddedSasl['users']> = (value, path) => {
  const all = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (all.length === 0) throw new KrafkaConfigError(path, 'must be an object of passwords by user name');
  for (const [user, password] of all) aString(password, `${path}.${user}`);
  return value as EmbeddedSasl['users'];
};

const sasl: OptionRule<EmbeddedSasl> = (value, path) => checkOptions<EmbeddedSasl>(value, { mechanism, users }, path);

/** Checks the options; an unknown, ill-typed or senseless one is a `KrafkaConfigError` that names it. */
export function checkedOptions(given: EmbeddedBrokerOptions | undefined): CheckedOptions {
  return checkOptions<CheckedOptions>(
    given,
    {
      brokers: withDefault(aWhole('brokers', 1, 100), 1),
      topics: withDefault(someTopics, {}),
      autoCreateTopics: withDefault(aBoolean, false),
      apiVersions: withDefault(limits, {}),
      transactionVersion: optional(oneOf(0, 1, 2)),
      sasl: optional(sasl),
      tls: optional(tls),
      groupInitialRebalanceDelayMs: withDefault(aWhole('milliseconds', 0, LONGEST_MS), 0),
      groupMinSessionTimeoutMs: withDefault(aWhole('milliseconds', 1, LONGEST_MS), 6_000),
      groupMaxSessionTimeoutMs: withDefault(aWhole('milliseconds', 1, LONGEST_MS), 1_800_000),
      groupConsumerSessionTimeoutMs: withDefault(aWhole('milliseconds', 1, LONGEST_MS), 45_000),
      groupConsumerHeartbeatIntervalMs: withDefault(aWhole('milliseconds', 1, LONGEST_MS), 5_000),
      groupConsumerAssignmentIntervalMs: withDefault(aWhole('milliseconds', 0, LONGEST_MS), 0),
      fetchSessionSlots: withDefault(aWhole('sessions', 0, 1_000_000), 1_000),
      clock: withDefault(anObjectWith<Clock>('now', 'monotonic', 'setTimer', 'endOfTurn'), systemClock),
      random: withDefault(anObjectWith<Random>('next', 'bytes'), systemRandom),
    },
    '',
  );
}
