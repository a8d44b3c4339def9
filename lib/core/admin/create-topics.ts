import type { TopicMetadata } from '../cluster/index.js';
import { CreateTopics, ZERO_UUID, type RequestOf, type ResponseOf } from '../protocol/index.js';
import type { KrafkaError } from '../support/index.js';
import { answerOr, type AdminCall } from './admin-call.js';
import type { Complete } from './call-options.js';
import { LostAnswers } from './lost-answers.js';
import { allOrThrow, type Settled } from './settle-each.js';
import { awaitLeaders, awaitTopics, topicNamed } from './topic-lookup.js';
import type { CreatedTopic, CreateTopicsOptions, TopicSpec } from './topic-options.js';

type Answer = ResponseOf<typeof CreateTopics>['topics'][number];
type TopicRequest = RequestOf<typeof CreateTopics>['topics'][number];

export async function createTopics(
  call: AdminCall,
  specs: readonly TopicSpec[],
  options: Complete<CreateTopicsOptions>,
): Promise<CreatedTopic[]> {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const { done, failed } = await request(call, byName, options.validateOnly);
  const existing = options.existing === 'ignore' ? ofCode(failed, 'TOPIC_ALREADY_EXISTS') : [];

  const made = options.validateOnly ? [] : [...done.keys()];
  for (const name of made) call.cluster.suspect(name);
  const found = options.waitForLeaders
    ? await awaitLeaders(call, [...existing, ...made], (topic) => isThere(topic, done.get(topic.name)?.topicId))
    : await awaitTopics(call, existing);

  const failures = new Map([...failed].filter(([name]) => !existing.includes(name)));
  allOrThrow({ done, failed: new Map([...failures, ...found.failed]) }, 'topics to be created');
  for (const name of existing) warnWhenOther(call, byName.get(name)!, found.done.get(name)!);
  return specs.map(({ name }) => {
    const topic = found.done.get(name);
    const answer = done.get(name);
    return {
      name,
      id: topic?.id ?? answer?.topicId ?? ZERO_UUID,
      partitions: topic?.partitions.length ?? answer?.numPartitions ?? -1,
      replicationFactor: topic?.partitions[0]?.replicas.length ?? answer?.replicationFactor ?? -1,
      created: made.includes(name),
    };
  });
}

/** A broker may still know another topic of that name, which was deleted a moment ago. Old brokers tell no ids. */
const isThere = ({ id, partitions }: TopicMetadata, created = ZERO_UUID): boolean =>
  partitions.length > 0 && (created === ZERO_UUID || id === ZERO_UUID || id === created);

function request(
  call: AdminCall,
  specs: ReadonlyMap<string, TopicSpec>,
  validateOnly: boolean,
): Promise<Settled<string, Answer>> {
  const lost = new LostAnswers();
  return call.onController(specs.keys(), topicNamed, (connection, names) =>
    lost.noting(names, async () => {
      const topics = names.map((name) => asRequested(specs.get(name)!));
      const timeoutMs = call.brokerTimeoutMs;
      const response = await connection.sendRequest(CreateTopics, { topics, timeoutMs, validateOnly }, call.wait);
      return new Map(
        response.topics.map((topic): [string, Answer | KrafkaError] => {
          const detail = lost.detail(topic, 'TOPIC_ALREADY_EXISTS');
          return [
            topic.name,
            answerOr(topic.errorCode, { api: 'CreateTopics', topic: topic.name, detail }, () => topic),
          ];
        }),
      );
    }),
  );
}

function asRequested({ name, partitions, replicationFactor, assignments, configs }: TopicSpec): TopicRequest {
  return {
    name,
    numPartitions: partitions ?? -1,
    replicationFactor: replicationFactor ?? -1,
    assignments: (assignments ?? []).map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    configs: Object.entries(configs ?? {}).map(([config, value]) => ({ name: config, value })),
  };
}

const ofCode = (failed: ReadonlyMap<string, KrafkaError>, code: string): string[] =>
  [...failed].filter(([, error]) => error.code === code).map(([name]) => name);

function warnWhenOther(call: AdminCall, spec: TopicSpec, topic: TopicMetadata): void {
  const wanted = spec.assignments?.length ?? spec.partitions;
  const found = topic.partitions.length;
  if (wanted === undefined || wanted === found) return;
  const details = { topic: spec.name, wanted, found };
  call.logger.warn('a topic that exists has another number of partitions than asked for', details);
}
