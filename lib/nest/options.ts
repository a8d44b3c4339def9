import { Transport, type TransportId } from '@nestjs/microservices';
import { parseBrokers } from '../core/cluster/index.js';
import type { ConsumerOptions } from '../core/consumer/index.js';
import type { TransactionsOptions } from '../core/index.js';
import { ConnectionConfig, type ConnectionOptions } from '../core/network/index.js';
import type { ProducerOptions } from '../core/producer/index.js';
import {
  aBoolean,
  aListOf,
  anObjectWith,
  aString,
  aWhole,
  checkOptions,
  describe,
  KrafkaConfigError,
  oneOf,
  optional,
  withDefault,
  type Logger,
  type OptionRule,
  type OptionRules,
} from '../core/support/index.js';
import {
  checkFailureOptions,
  DEFAULT_FAILURE_POLICY,
  failurePolicy,
  type FailureOptions,
  type FailurePolicy,
} from './failure-policy/failure-policy.js';
import { checkGroupOptions } from './group-options.js';
import { NestLogger } from './nest-logger.js';
import {
  checkCommitMode,
  checkConcurrency,
  type CommitMode,
  type ConcurrencyOptions,
} from './server/handler-options.js';
import { topicOf } from './topic-name.js';
import { checkCrashOptions, type CrashOptions, type CrashPolicy } from './server/crash-policy.js';
import type { TopicNames } from './topic-from-config.js';
import type { TopicDeclaration } from './topics.js';
import type { NestDeserializer, NestSerializer } from './wire/payloads.js';
import { checkSerdes, type KrafkaSerde, type SerdeOptions } from './wire/serde.js';

/** What is done about the topics where replies arrive: `<pattern>.reply`. */
export interface ReplyTopicOptions {
  /** Whether a missing one is created. Default true. */
  readonly create?: boolean | undefined;
  /** How many partitions a created one gets. Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined;
  /** Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
}

/** How the producer works that servers and clients share: as any, but for what would go against what they do with it. */
export type KrafkaProducerOptions = Omit<
  ProducerOptions,
  'transactionalId' | 'transactionTimeoutMs' | 'keySerializer' | 'valueSerializer'
>;

/** What servers and clients have in common. */
interface CommonOptions {
  /** Where to find the cluster: a string with commas or an array; the port is 9092 where none is named. */
  readonly brokers: string | readonly string[];
  /** The name in quotas and broker logs. Default 'krafka'. */
  readonly clientId?: string | undefined;
  /** Sockets, channels, TLS and SASL. */
  readonly connection?: ConnectionOptions | ConnectionConfig | undefined;
  /** The one producer behind events, requests, replies and dead letters. No transactions and no serializers: see `transactions`, `serde`. */
  readonly producer?: KrafkaProducerOptions | undefined;
  /** How `client.transaction()` works. */
  readonly transactions?: TransactionsOptions | undefined;
  /** Where the core says what happens. Default: Nest's logger, context `Krafka`. */
  readonly logger?: Logger | undefined;
  /** Where `fromConfig(key)` finds the names of topics: an object, a function, or what has `get(key)`, as ConfigService. Default: nowhere. */
  readonly topicNames?: TopicNames | undefined;
  /** How payloads become bytes and are made of them: one serde, or serdes by topic. Default: text and JSON by the rules of Nest's Kafka transport. */
  readonly serde?: KrafkaSerde | SerdeOptions | undefined;
  /** A serializer written for Nest's Kafka transport, for topics without a serde. Default none. */
  readonly serializer?: NestSerializer | undefined;
  /** A deserializer written for Nest's Kafka transport, for topics without a serde. Default none. */
  readonly deserializer?: NestDeserializer | undefined;
}

/** The options of a {@link KrafkaClient} of its own, as in `ClientsModule.register([{ name, customClass: KrafkaClient, options }])`. */
export interface KrafkaClientOptions extends CommonOptions {
  /** The deadline of every `send()`, in milliseconds, streams of replies included; 0 for none. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** What is done about missing reply topics. Default: they are created. */
  readonly replyTopics?: ReplyTopicOptions | undefined;
}

/** How a server reads: the consumer's options but for what its handlers, `serde` and `onFailure` decide. */
export type KrafkaServerConsumerOptions = Omit<
  ConsumerOptions,
  | 'topics'
  | 'topicPattern'
  | 'assignments'
  | 'rebalanceListener'
  | 'autoCommit'
  | 'keyDeserializer'
  | 'valueDeserializer'
  | 'onUndecodable'
>;

/** The options of a {@link KrafkaServer} of its own, as in `{ strategy: new KrafkaServer(options) }`. */
export interface KrafkaServerOptions extends CommonOptions {
  /** The group, as given, and how it reads. `groupId` is needed as soon as there is a handler. */
  readonly consumer?: KrafkaServerConsumerOptions | undefined;
  /** Topics that are created at start when they are missing. One that exists is never altered. */
  readonly topics?: readonly TopicDeclaration[] | undefined;
  /** What happens when an event handler fails. Default: three retries, then the dead-letter topic. */
  readonly onFailure?: FailureOptions | undefined;
  /**
   * How many events of a topic are handled at once, where handlers don't say; of `by: 'key'` and `'none'` batches and handlers
   * that commit by themselves take the limit alone. Default: one of each partition.
   */
  readonly concurrency?: ConcurrencyOptions | undefined;
  /** When a record is done: when its handlers have succeeded ('auto'), or with `context.commit()` ('manual'). Default 'auto'. */
  readonly commitMode?: CommitMode | undefined;
  /** What becomes of a record of a topic whose handlers are all for others (`when`). Default 'skip': it is counted. */
  readonly unmatched?: 'skip' | 'dead-letter' | undefined;
  /** What happens when a group's consumer can't go on. Default: it is started again, after 1 to 30 seconds. */
  readonly onCrash?: CrashOptions | undefined;
  /** How long `close()` waits for handlers and replies that are under way, in milliseconds. Default 10,000. */
  readonly shutdownTimeoutMs?: number | undefined;
  /**
   * How long after its deadline a request is still worked on, in milliseconds; false works on all of them. Clients write the
   * deadline into the header `krafka_deadline` by their own clock: allow for what clocks differ. Default 1,000.
   */
  readonly lateRequestGraceMs?: number | false | undefined;
  /** Which of Nest's transports this is to handlers that name one. Default `Transport.KAFKA`. */
  readonly transportId?: TransportId | undefined;
}

/** The options of `KrafkaModule.forRoot()`: one cluster, a server and a client. */
export interface KrafkaModuleOptions extends KrafkaServerOptions, KrafkaClientOptions {}

/** {@link KrafkaModuleOptions} as checked: frozen, and complete but for what the core completes itself. */
export interface KrafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string | undefined;
  readonly connection: ConnectionOptions | ConnectionConfig | undefined;
  readonly producer: KrafkaProducerOptions;
  readonly transactions: TransactionsOptions;
  readonly consumer: KrafkaServerConsumerOptions;
  readonly topics: readonly TopicDeclaration[];
  readonly onFailure: FailurePolicy;
  readonly onCrash: CrashPolicy;
  readonly commitMode: CommitMode;
  readonly concurrency: ConcurrencyOptions;
  readonly unmatched: 'skip' | 'dead-letter';
  readonly requestTimeoutMs: number;
  readonly replyTopics: Required<Pick<ReplyTopicOptions, 'create'>> & Omit<ReplyTopicOptions, 'create'>;
  readonly shutdownTimeoutMs: number;
  readonly transportId: TransportId;
  readonly logger: Logger;
  readonly topicNames: TopicNames | undefined;
  readonly serde: SerdeOptions;
  readonly serializer: NestSerializer | undefined;
  readonly deserializer: NestDeserializer | undefined;
  readonly lateRequestGraceMs: number | undefined;
}

const MAX_TIMER_MS = 2_147_483_647;
const MAX_INT32 = 2_147_483_647;
const MAX_INT16 = 32_767;

const anObject = <T extends object>(value: unknown, path: string): T => {
  if (value === undefined) return {} as T;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KrafkaConfigError(path, `must be an object, got ${describe(value)}`);
  }
  return value as T;
};

const aTopicName: OptionRule<string> = (value, path) => {
  try {
    return topicOf(aString(value, path));
  } catch (error) {
    if (error instanceof KrafkaConfigError && error.option !== path) {
      throw new KrafkaConfigError(path, `is no legal topic name: '${String(value)}'`);
    }
    throw error;
  }
};

const topicConfigs: OptionRule<Readonly<Record<string, string>>> = (value, path) => {
  for (const [name, setting] of Object.entries(anObject(value, path))) aString(setting, `${path}.${name}`);
  return value as Readonly<Record<string, string>>;
};

const aDeclaration: OptionRule<TopicDeclaration> = (value, path) =>
  checkOptions<TopicDeclaration>(
    value,
    {
      name: aTopicName,
      partitions: optional(aWhole('partitions', 1, MAX_INT32)),
      replicationFactor: optional(aWhole('copies', 1, MAX_INT16)),
      configs: optional(topicConfigs),
    } satisfies OptionRules<TopicDeclaration>,
    path,
  );

const aReplyTopic: OptionRule<KrafkaSettings['replyTopics']> = (value, path) =>
  checkOptions<KrafkaSettings['replyTopics']>(
    value,
    {
      create: withDefault(aBoolean, true),
      partitions: optional(aWhole('partitions', 1, MAX_INT32)),
      replicationFactor: optional(aWhole('copies', 1, MAX_INT16)),
    },
    path,
  );

const aTransportId: OptionRule<TransportId> = (value, path) => {
  if (typeof value !== 'symbol' && (typeof value !== 'number' || Transport[value] === undefined)) {
    throw new KrafkaConfigError(path, "must be one of Nest's transports or a symbol");
  }
  return value;
};

const anyConnection: OptionRule<KrafkaSettings['connection']> = (value, path) => {
  if (value !== undefined && !(value instanceof ConnectionConfig)) anObject(value, path);
  return value as KrafkaSettings['connection'];
};

const OF_TRANSACTIONS =
  "is not for the producer that all share: client.transaction() has its own, see the option 'transactions'";
// Dead letters and retries are written as the bytes they were read as; replies and events are bytes when it gets them.
const OF_PAYLOADS = "is not for the producer that all share: use the option 'serde', or 'serializer'";

const NOT_OF_A_SHARED_PRODUCER: readonly (readonly [name: string, problem: string])[] = [
  ['transactionalId', OF_TRANSACTIONS],
  ['transactionTimeoutMs', OF_TRANSACTIONS],
  ['keySerializer', OF_PAYLOADS],
  ['valueSerializer', OF_PAYLOADS],
];

const aSharedProducer: OptionRule<KrafkaProducerOptions> = (value, path) => {
  const options = anObject<Record<string, unknown>>(value, path);
  for (const [name, problem] of NOT_OF_A_SHARED_PRODUCER) {
    if (options[name] !== undefined) throw new KrafkaConfigError(`${path}.${name}`, problem);
  }
  return options;
};

const theTopicNames: OptionRule<TopicNames | undefined> = (value, path) => {
  if (value !== undefined && (value === null || !['object', 'function'].includes(typeof value))) {
    throw new KrafkaConfigError(path, `must be an object, a function, or what has get(key), got ${describe(value)}`);
  }
  return value as TopicNames | undefined;
};

const COMMON = {
  brokers: parseBrokers,
  clientId: optional(aString),
  connection: anyConnection,
  producer: aSharedProducer,
  transactions: anObject,
  logger: (value: unknown, path: string): Logger =>
    value === undefined ? new NestLogger() : anObjectWith<Logger>('debug', 'info', 'warn', 'error')(value, path),
  topicNames: theTopicNames,
  serde: checkSerdes,
  serializer: optional(anObjectWith<NestSerializer>('serialize')),
  deserializer: optional(anObjectWith<NestDeserializer>('deserialize')),
};

const OF_A_CLIENT = {
  requestTimeoutMs: withDefault(aWhole('milliseconds', 0, MAX_TIMER_MS), 30_000),
  replyTopics: aReplyTopic,
};

const OF_A_SERVER = {
  consumer: checkGroupOptions,
  topics: withDefault(aListOf(aDeclaration), []),
  onFailure: (value: unknown, path: string): FailurePolicy =>
    failurePolicy(checkFailureOptions(value, path), DEFAULT_FAILURE_POLICY),
  commitMode: withDefault(checkCommitMode, 'auto'),
  concurrency: checkConcurrency,
  unmatched: withDefault(oneOf('skip', 'dead-letter'), 'skip'),
  onCrash: checkCrashOptions,
  shutdownTimeoutMs: withDefault(aWhole('milliseconds', 0, MAX_TIMER_MS), 10_000),
  transportId: withDefault(aTransportId, Transport.KAFKA),
  lateRequestGraceMs: (value: unknown, path: string): number | undefined =>
    value === false ? undefined : aWhole('milliseconds', 0, MAX_TIMER_MS)(value ?? 1_000, path),
};

/** The settings a client uses. */
export type ClientSettings = Pick<KrafkaSettings, keyof typeof COMMON | keyof typeof OF_A_CLIENT>;

/** The settings a server uses. */
export type ServerSettings = Pick<KrafkaSettings, keyof typeof COMMON | keyof typeof OF_A_SERVER>;

/** @throws KrafkaConfigError with the path of the option that is unknown or wrong */
export const checkModuleOptions = (given: unknown): KrafkaSettings =>
  checkOptions<KrafkaSettings>(given, { ...COMMON, ...OF_A_CLIENT, ...OF_A_SERVER }, '');

/** @throws KrafkaConfigError with the path of the option that is unknown or wrong */
export const checkClientOptions = (given: unknown): ClientSettings => {
  refuseThoseOf(OF_A_SERVER, given, 'is for servers: a client reads its replies without a group, and handles nothing');
  return checkOptions<ClientSettings>(given, { ...COMMON, ...OF_A_CLIENT }, '');
};

/** @throws KrafkaConfigError with the path of the option that is unknown or wrong */
export const checkServerOptions = (given: unknown): ServerSettings => {
  refuseThoseOf(OF_A_CLIENT, given, 'is for clients: a server asks nothing');
  return checkOptions<ServerSettings>(given, { ...COMMON, ...OF_A_SERVER }, '');
};

function refuseThoseOf(others: object, given: unknown, problem: string): void {
  if (typeof given !== 'object' || given === null) return;
  const name = Object.keys(given).find((key) => Object.hasOwn(others, key));
  if (name !== undefined) throw new KrafkaConfigError(name, problem);
}

/** What the check does, its KrafkaConfigError told as that of the option it was called for. */
export function under<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof KrafkaConfigError) || error.option === path || error.option.startsWith(`${path}.`))
      throw error;
    const { option, message, nearest } = error;
    const problem = message.slice(`Option '${option}' `.length).replace(/; did you mean '.*'\?$/, '');
    throw new KrafkaConfigError(`${path}.${option}`, problem, nearest);
  }
}
