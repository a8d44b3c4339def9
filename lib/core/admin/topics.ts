import type { TopicMetadata } from '../cluster/index.js';
import type { Complete } from './call-options.js';
import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
  ERROR_CODES,
  protocolError,
  ZERO_UUID,
  type ResponseOf,
} from '../protocol/index.js';
import { KrafkaError } from '../support/index.js';
import { answerOr, type AdminCall, type Answers } from './admin-call.js';
import { allOrThrow } from './settle-each.js';
import type {
  CreatedTopic,
  CreatePartitionsOptions,
  CreateTopicsOptions,
  DeleteTopicsOptions,
  NewPartitions,
  TopicSpec,
} from './topic-options.js';

type CreateAnswer = ResponseOf<typeof CreateTopics>['topics'][number];

// Since this version topics are named one by one, by name or id.
const DELETE_BY_STATE_SINCE = 6;
const LOST_ANSWER = 'an earlier try of this call got no answer, so it may have been this call that did it';

const topicNamed = (name: string): string => `topic '${name}'`;

export async function createTopics(
  call: AdminCall,
  specs: readonly TopicSpec[],
  options: Complete<CreateTopicsOptions>,
): Promise<CreatedTopic[]> {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const unsure = new Set<string>();
  const settled = await call.onController(byName.keys(), topicNamed, (connection, names) =>
    notingLostAnswers(unsure, names, async () => {
      const response = await connection.sendRequest(
        CreateTopics,
        {
          topics: names.map((name) => asRequested(byName.get(name)!)),
          timeoutMs: call.brokerTimeoutMs,
          validateOnly: options.validateOnly,
        },
        call.wait,
      );
      return new Map(
        response.topics.map((topic): [string, CreateAnswer | KrafkaError] => [
          topic.name,
          answerOr(
            topic.errorCode,
            { api: 'CreateTopics', topic: topic.name, detail: detailOf(topic, 'TOPIC_ALREADY_EXISTS', unsure) },
            () => topic,
          ),
        ]),
      );
    }),
  );

  const existing = new Set<string>();
  if (options.existing === 'ignore') {
    for (const [name, error] of settled.failed) if (error.code === 'TOPIC_ALREADY_EXISTS') existing.add(name);
  }
  const failed = new Map([...settled.failed].filter(([name]) => !existing.has(name)));
  const done = new Map<string, CreateAnswer | undefined>([
    ...settled.done,
    ...[...existing].map((name) => [name, undefined] as const),
  ]);
  // Those that were created have their leaders before anybody hears of those that were not.
  const looked = options.validateOnly ? [...existing] : options.waitForLeaders ? [...done.keys()] : [...existing];
  const topics = options.waitForLeaders ? await withLeaders(call, looked) : await described(call, looked);
  for (const name of settled.done.keys()) call.cluster.suspect(name);
  allOrThrow({ done, failed }, 'topics to be created');

  for (const name of existing) {
    const wanted = byName.get(name)?.assignments?.length ?? byName.get(name)?.partitions;
    const found = topics.get(name)?.partitions.length;
    if (wanted !== undefined && wanted !== found) {
      call.logger.warn('a topic that exists has another number of partitions than asked for', {
        topic: name,
        wanted,
        found,
      });
    }
  }
  return specs.map(({ name }) => {
    const topic = topics.get(name);
    const answer = done.get(name);
    return {
      name,
      id: topic?.id ?? answer?.topicId ?? ZERO_UUID,
      partitions: topic?.partitions.length ?? answer?.numPartitions ?? -1,
      replicationFactor: topic?.partitions[0]?.replicas.length ?? answer?.replicationFactor ?? -1,
      created: answer !== undefined && !options.validateOnly,
    };
  });
}

export async function deleteTopics(
  call: AdminCall,
  names: readonly string[],
  options: Complete<DeleteTopicsOptions>,
): Promise<void> {
  const unsure = new Set<string>();
  const settled = await call.onController(new Set(names), topicNamed, (connection, pending) =>
    notingLostAnswers(unsure, pending, async () => {
      const byState = connection.versionOf(DeleteTopics) >= DELETE_BY_STATE_SINCE;
      const response = await connection.sendRequest(
        DeleteTopics,
        {
          topics: byState ? pending.map((name) => ({ name })) : [],
          topicNames: byState ? [] : pending,
          timeoutMs: call.brokerTimeoutMs,
        },
        call.wait,
      );
      const answers = new Map<string, true | KrafkaError>();
      for (const topic of response.responses) {
        if (topic.name === null) continue;
        const missing = topic.errorCode === ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
        const detail = detailOf({ ...topic, name: topic.name }, 'UNKNOWN_TOPIC_OR_PARTITION', unsure);
        answers.set(
          topic.name,
          missing && options.missing === 'ignore'
            ? true
            : answerOr(topic.errorCode, { api: 'DeleteTopics', topic: topic.name, detail }, () => true as const),
        );
      }
      return answers;
    }),
  );
  for (const name of settled.done.keys()) call.cluster.suspect(name);
  allOrThrow(settled, 'topics to be deleted');
}

export async function createPartitions(
  call: AdminCall,
  wanted: readonly NewPartitions[],
  options: Complete<CreatePartitionsOptions>,
): Promise<void> {
  const byTopic = new Map(wanted.map((one) => [one.topic, one]));
  const settled = await call.onController(byTopic.keys(), topicNamed, async (connection, names) => {
    const response = await connection.sendRequest(
      CreatePartitions,
      {
        topics: names.map((name) => {
          const { count, assignments } = byTopic.get(name)!;
          return { name, count, assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null };
        }),
        timeoutMs: call.brokerTimeoutMs,
        validateOnly: options.validateOnly,
      },
      call.wait,
    );
    return new Map(
      response.results.map(({ name, errorCode, errorMessage }): [string, true | KrafkaError] => [
        name,
        answerOr(
          errorCode,
          { api: 'CreatePartitions', topic: name, detail: errorMessage ?? undefined },
          () => true as const,
        ),
      ]),
    );
  });
  if (options.waitForLeaders && !options.validateOnly) {
    await withLeaders(
      call,
      [...settled.done.keys()],
      (topic) => topic.partitions.length >= byTopic.get(topic.name)!.count,
    );
  }
  for (const name of settled.done.keys()) call.cluster.suspect(name);
  allOrThrow(settled, 'topics to be given partitions');
}

export async function listTopics(call: AdminCall, includeInternal: boolean): Promise<TopicMetadata[]> {
  const { metadata } = await call.one('the list of topics', () => call.cluster.look('all', call.wait));
  return Array.from(metadata.topics.values())
    .filter((topic) => includeInternal || !topic.isInternal)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export async function describeTopics(call: AdminCall, names: readonly string[]): Promise<TopicMetadata[]> {
  const topics = await described(call, names);
  return names.map((name) => topics.get(name)!);
}

/** The topics as some broker knows them, or the errors of those that are not. */
function described(call: AdminCall, names: readonly string[]): Promise<ReadonlyMap<string, TopicMetadata>> {
  return withLeaders(
    call,
    names,
    () => true,
    () => true,
  );
}

/** The topics, as soon as every partition of theirs has a leader. */
async function withLeaders(
  call: AdminCall,
  names: readonly string[],
  isComplete: (topic: TopicMetadata) => boolean = (topic) => topic.partitions.length > 0,
  hasLeader: (partition: TopicMetadata['partitions'][number]) => boolean = ({ leader }) => leader >= 0,
): Promise<ReadonlyMap<string, TopicMetadata>> {
  const settled = await call.settle(
    new Set(names),
    topicNamed,
    async (pending): Promise<Answers<string, TopicMetadata>> => {
      const { metadata, problems } = await call.cluster.look(pending, call.wait);
      return new Map(
        pending.map((name): [string, TopicMetadata | KrafkaError] => {
          const topic = metadata.topics.get(name);
          if (topic === undefined) {
            const code = problems.get(name) ?? ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
            return [name, protocolError(code, { api: 'Metadata', topic: name })];
          }
          const leaderless = topic.partitions.find((partition) => !hasLeader(partition))?.partition;
          if (isComplete(topic) && leaderless === undefined) return [name, topic];
          return [name, protocolError(ERROR_CODES.LEADER_NOT_AVAILABLE, { topic: name, partition: leaderless })];
        }),
      );
    },
  );
  return allOrThrow(settled, 'topics to be described');
}

function asRequested({ name, partitions, replicationFactor, assignments, configs }: TopicSpec) {
  return {
    name,
    numPartitions: partitions ?? -1,
    replicationFactor: replicationFactor ?? -1,
    assignments: (assignments ?? []).map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    configs: Object.entries(configs ?? {}).map(([config, value]) => ({ name: config, value })),
  };
}

/** The broker's own words, and a warning when the error may be the fruit of our own earlier try. */
function detailOf(
  { name, errorCode, errorMessage }: { name: string; errorCode: number; errorMessage: string | null },
  error: keyof typeof ERROR_CODES,
  unsure: ReadonlySet<string>,
): string | undefined {
  const words = [errorMessage, errorCode === ERROR_CODES[error] && unsure.has(name) ? LOST_ANSWER : null];
  return words.filter(Boolean).join('; ') || undefined;
}

/** Remembers the items whose fate is not known: the request may have been carried out although it failed for us. */
async function notingLostAnswers<R>(
  unsure: Set<string>,
  names: readonly string[],
  ask: () => Promise<Answers<string, R>>,
): Promise<Answers<string, R>> {
  try {
    const answers = await ask();
    for (const [name, answer] of answers) {
      if (answer instanceof KrafkaError && answer.code === 'REQUEST_TIMED_OUT') unsure.add(name);
    }
    return answers;
  } catch (error) {
    for (const name of names) unsure.add(name);
    throw error;
  }
}
