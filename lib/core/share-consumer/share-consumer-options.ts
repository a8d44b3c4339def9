import {
  aBoolean,
  aListOf,
  aString,
  aWhole,
  checkOptions,
  KrafkaConfigError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
  type OptionRules,
} from '../support/index.js';

/** What a share consumer may be told. Durations are milliseconds, sizes are bytes. */
export interface ShareConsumerOptions {
  /** The share group (KIP-932). Where its reading begins, how long locks last and how often a record is delivered at most are the group's own configuration: `share.auto.offset.reset`, `share.record.lock.duration.ms`, `group.share.delivery.count.limit`. */
  readonly groupId: string;
  /** The topics to share. */
  readonly topics: readonly string[];
  /**
   * `implicit`: a record is accepted when its handler has ended, or when the loop asks for the next one, unless another
   * verdict was said. `explicit`: only what is said counts. Default 'implicit' (Java's `share.acknowledgement.mode`).
   */
  readonly acknowledgement?: AcknowledgementMode | undefined;
  /** How many records are acquired at once at most, shared out among the leaders; fewer while handlers are too slow to end them before their locks expire. Default 500 (Java's `max.poll.records`). */
  readonly maxRecords?: number | undefined;
  /** `batch_optimized`: whole batches are acquired, even where that exceeds `maxRecords`. `record_limit`: never more than that (KIP-1206, Kafka 4.2 and later). Default 'batch_optimized' (Java's `share.acquire.mode`). */
  readonly acquireMode?: AcquireMode | undefined;
  /** Renews the locks of records that handlers, or the loop, still have, before they expire (KIP-1222, Kafka 4.2 and later). Default false. */
  readonly renewLocks?: boolean | undefined;
  /** How long a verdict waits at most for a fetch that takes it along, before it travels alone; less when its record's lock is about to expire. Default 1,000. */
  readonly acknowledgeIntervalMs?: number | undefined;
  /** Default 1: a fetch is answered as soon as there is anything. */
  readonly fetchMinBytes?: number | undefined;
  /** The most a broker answers to one fetch. Default 52,428,800 (50 MiB). */
  readonly fetchMaxBytes?: number | undefined;
  /** How long a broker holds a fetch that finds less than `fetchMinBytes`; verdicts and commits wait for it. Default 500. */
  readonly fetchMaxWaitMs?: number | undefined;
  /** The most that one compressed batch may become. Default 104,857,600 (100 MiB). */
  readonly maxDecompressedBytes?: number | undefined;
  /** Where this consumer runs (`client.rack`): the group assigns by it. */
  readonly rack?: string | undefined;
  /** How long a request that is not held by the broker may take. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** The budget of `commit()`. Default 60,000. */
  readonly defaultApiTimeoutMs?: number | undefined;
  /** How long `start()` waits for the brokers, for topics that are not there (yet), and for the group. Default 10,000. */
  readonly startTimeoutMs?: number | undefined;
}

/** Whether a record that nothing was said of counts as accepted. */
export type AcknowledgementMode = 'implicit' | 'explicit';
/** How strictly the number of records acquired is kept (KIP-1206). */
export type AcquireMode = 'batch_optimized' | 'record_limit';

/** {@link ShareConsumerOptions} as checked, with every default filled in. */
export interface ShareConsumerSettings extends Omit<
  { readonly [Key in keyof ShareConsumerOptions]-?: Exclude<ShareConsumerOptions[Key], undefined> },
  'rack'
> {
  readonly rack: string | undefined;
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

const milliseconds = (fallback: number, least = 1): OptionRule<number> =>
  withDefault(aWhole('milliseconds', least, MAX_INT32), fallback);
const bytes = (fallback: number): OptionRule<number> => withDefault(aWhole('bytes', 1, MAX_INT32), fallback);

const RULES: OptionRules<ShareConsumerOptions> = {
  groupId: aString,
  topics: aListOf(aTopic),
  acknowledgement: withDefault(oneOf('implicit', 'explicit'), 'implicit'),
  maxRecords: withDefault(aWhole('records', 1, MAX_INT32), 500),
  acquireMode: withDefault(oneOf('batch_optimized', 'record_limit'), 'batch_optimized'),
  renewLocks: withDefault(aBoolean, false),
  acknowledgeIntervalMs: milliseconds(1_000, 0),
  fetchMinBytes: bytes(1),
  fetchMaxBytes: bytes(50 * 1024 * 1024),
  fetchMaxWaitMs: milliseconds(500, 0),
  maxDecompressedBytes: bytes(100 * 1024 * 1024),
  rack: optional(aString),
  requestTimeoutMs: milliseconds(30_000),
  defaultApiTimeoutMs: milliseconds(60_000),
  startTimeoutMs: milliseconds(10_000),
};

/**
 * Checks what a share consumer is told and fills in the defaults.
 *
 * @throws KrafkaConfigError naming the option that is unknown, missing or out of range
 */
export function shareConsumerSettings(options: ShareConsumerOptions): ShareConsumerSettings {
  const checked = checkOptions<ShareConsumerOptions>(options, RULES, '') as ShareConsumerSettings;
  if (checked.topics.length === 0) throw new KrafkaConfigError('topics', 'names nothing to read');
  if (new Set(checked.topics).size !== checked.topics.length) {
    throw new KrafkaConfigError('topics', 'names a topic twice');
  }
  return checked;
}

/** Checks topics given to `subscribe()` as the option of the same name is checked. */
export const checkTopics = (given: readonly string[]): readonly string[] =>
  shareConsumerSettings({ groupId: 'any', topics: given }).topics;
