import type { TopicMetadata } from '../cluster/index.js';
import { CreatePartitions, DeleteTopics, ERROR_CODES } from '../protocol/index.js';
import type { KrafkaError } from '../support/index.js';
import { answerOr, type AdminCall } from './admin-call.js';
import type { Complete } from './call-options.js';
import { LostAnswers } from './lost-answers.js';
import { allOrThrow } from './settle-each.js';
import { awaitLeaders, lookUpTopics, topicNamed } from './topic-lookup.js';
import type { CreatePartitionsOptions, DeleteTopicsOptions, NewPartitions } from './topic-options.js';

// Since this version each topic is an item of its own, by name or id.
const DELETE_BY_ITEM_SINCE = 6;

export async function deleteTopics(
  call: AdminCall,
  names: readonly string[],
  options: Complete<DeleteTopicsOptions>,
): Promise<void> {
  const lost = new LostAnswers();
  const settled = await call.onController(new Set(names), topicNamed, (connection, pending) =>
    lost.noting(pending, async () => {
      const byItem = connection.versionOf(DeleteTopics) >= DELETE_BY_ITEM_SINCE;
      const topics = byItem ? pending.map((name) => ({ name })) : [];
      const topicNames = byItem ? [] : pending;
      const timeoutMs = call.brokerTimeoutMs;
      const response = await connection.sendRequest(DeleteTopics, { topics, topicNames, timeoutMs }, call.wait);
      const answers = new Map<string, true | KrafkaError>();
      for (const { name, errorCode, errorMessage } of response.responses) {
        if (name === null) continue;
        const detail = lost.detail({ name, errorCode, errorMessage }, 'UNKNOWN_TOPIC_OR_PARTITION');
        const gone = options.missing === 'ignore' && errorCode === ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
        answers.set(
          name,
          gone || answerOr(errorCode, { api: 'DeleteTopics', topic: name, detail }, () => true as const),
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
  { validateOnly, waitForLeaders }: Complete<CreatePartitionsOptions>,
): Promise<void> {
  const byTopic = new Map(wanted.map((one) => [one.topic, one]));
  const settled = await call.onController(byTopic.keys(), topicNamed, async (connection, names) => {
    const topics = names.map((name) => {
      const { count, assignments } = byTopic.get(name)!;
      return { name, count, assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null };
    });
    const timeoutMs = call.brokerTimeoutMs;
    const response = await connection.sendRequest(CreatePartitions, { topics, timeoutMs, validateOnly }, call.wait);
    return new Map(
      response.results.map(({ name, errorCode, errorMessage }): [string, true | KrafkaError] => {
        const context = { api: 'CreatePartitions', topic: name, detail: errorMessage ?? undefined };
        return [name, answerOr(errorCode, context, () => true as const)];
      }),
    );
  });
  const made = validateOnly ? [] : [...settled.done.keys()];
  for (const name of made) call.cluster.suspect(name);
  const found = await awaitLeaders(
    call,
    waitForLeaders ? made : [],
    (topic) => topic.partitions.length >= byTopic.get(topic.name)!.count,
  );
  const failed = new Map([...settled.failed, ...found.failed]);
  allOrThrow({ done: settled.done, failed }, 'topics to be given partitions');
}

export async function listTopics(call: AdminCall, includeInternal: boolean): Promise<TopicMetadata[]> {
  const { metadata } = await call.one('the list of topics', () => call.cluster.look('all', call.wait));
  return Array.from(metadata.topics.values())
    .filter((topic) => includeInternal || !topic.isInternal)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export async function describeTopics(call: AdminCall, names: readonly string[]): Promise<TopicMetadata[]> {
  const topics = allOrThrow(await lookUpTopics(call, names), 'topics to be described');
  return names.map((name) => topics.get(name)!);
}
