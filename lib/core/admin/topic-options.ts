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
} from '../support/index.js';
import { CALL_OPTIONS, textByName, withoutRepeats, type CallOptions, type Complete } from './call-options.js';

/** A topic to be created. */
export interface TopicSpec {
  readonly name: string;
  /** How many partitions. Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined;
  /** How many copies of each partition. Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
  /** Which brokers hold each partition, the preferred leader first; in place of the two numbers above. */
  readonly assignments?: readonly (readonly number[])[] | undefined;
  /** The topic's own configuration, in Kafka's names and words. Default: the broker's. */
  readonly configs?: Readonly<Record<string, string>> | undefined;
}

export interface CreateTopicsOptions extends CallOptions {
  /** Only checks whether it could be done. Default false. */
  readonly validateOnly?: boolean | undefined;
  /** What a topic that is there already means. An ignored one stays exactly as it is. Default 'error'. */
  readonly existing?: 'error' | 'ignore' | undefined;
  /** Waits until every partition has a leader, so that what follows finds one. Default true. */
  readonly waitForLeaders?: boolean | undefined;
}

/** A topic after `createTopics`. */
export interface CreatedTopic {
  readonly name: string;
  /** All zeros (`ZERO_UUID`) where the broker tells none. */
  readonly id: string;
  /** As it is now; -1 where the broker does not say (before Kafka 2.4, with `waitForLeaders: false` or `validateOnly`). */
  readonly partitions: number;
  /** As it is now; -1 where the broker does not say. */
  readonly replicationFactor: number;
  /** False when it was there already, or was only validated. */
  readonly created: boolean;
}

export interface DeleteTopicsOptions extends CallOptions {
  /** What a topic that is not there means. Default 'error'. */
  readonly missing?: 'error' | 'ignore' | undefined;
}

export interface ListTopicsOptions extends CallOptions {
  /** Kafka's own topics too, like `__consumer_offsets`. Default false. */
  readonly includeInternal?: boolean | undefined;
}

/** More partitions for a topic. */
export interface NewPartitions {
  readonly topic: string;
  /** How many there are to be in all. */
  readonly count: number;
  /** Which brokers hold each new partition, the preferred leader first. Default: the controller chooses. */
  readonly assignments?: readonly (readonly number[])[] | undefined;
}

export interface CreatePartitionsOptions extends CallOptions {
  /** Only checks whether it could be done. Default false. */
  readonly validateOnly?: boolean | undefined;
  /** Waits until every partition has a leader. Default true. */
  readonly waitForLeaders?: boolean | undefined;
}

const someAssignments = aListOf(aListOf(aWhole('node id', 0)));

const aTopicSpec: OptionRule<TopicSpec> = (value, path) => {
  const spec = checkOptions<TopicSpec>(
    value,
    {
      name: aString,
      partitions: optional(aWhole('partitions', 1)),
      replicationFactor: optional(aWhole('copies', 1, 32_767)),
      assignments: optional(someAssignments),
      configs: optional(textByName),
    },
    path,
  );
  if (spec.assignments !== undefined) {
    if (spec.assignments.length === 0) {
      throw new KrafkaConfigError(`${path}.assignments`, "names no partition: leave it out for the broker's default");
    }
    for (const option of ['partitions', 'replicationFactor'] as const) {
      if (spec[option] !== undefined) {
        throw new KrafkaConfigError(`${path}.${option}`, 'would be ignored: assignments say it already');
      }
    }
  }
  return spec;
};

const aNewPartitions: OptionRule<NewPartitions> = (value, path) =>
  checkOptions<NewPartitions>(
    value,
    { topic: aString, count: aWhole('partitions', 1), assignments: optional(someAssignments) },
    path,
  );

export const checkTopicSpecs = (given: unknown): readonly TopicSpec[] =>
  withoutRepeats(aListOf(aTopicSpec)(given, 'topics'), ({ name }) => name, 'topics');

export const checkNewPartitions = (given: unknown): readonly NewPartitions[] =>
  withoutRepeats(aListOf(aNewPartitions)(given, 'topics'), ({ topic }) => topic, 'topics');

export const checkCreateTopics = (given: CreateTopicsOptions | undefined): Complete<CreateTopicsOptions> =>
  checkOptions<Complete<CreateTopicsOptions>>(
    given,
    {
      ...CALL_OPTIONS,
      validateOnly: withDefault(aBoolean, false),
      existing: withDefault(oneOf('error', 'ignore'), 'error'),
      waitForLeaders: withDefault(aBoolean, true),
    },
    'options',
  );

export const checkDeleteTopics = (given: DeleteTopicsOptions | undefined): Complete<DeleteTopicsOptions> =>
  checkOptions<Complete<DeleteTopicsOptions>>(
    given,
    { ...CALL_OPTIONS, missing: withDefault(oneOf('error', 'ignore'), 'error') },
    'options',
  );

export const checkListTopics = (given: ListTopicsOptions | undefined): Complete<ListTopicsOptions> =>
  checkOptions<Complete<ListTopicsOptions>>(
    given,
    { ...CALL_OPTIONS, includeInternal: withDefault(aBoolean, false) },
    'options',
  );

export const checkCreatePartitions = (given: CreatePartitionsOptions | undefined): Complete<CreatePartitionsOptions> =>
  checkOptions<Complete<CreatePartitionsOptions>>(
    given,
    { ...CALL_OPTIONS, validateOnly: withDefault(aBoolean, false), waitForLeaders: withDefault(aBoolean, true) },
    'options',
  );
