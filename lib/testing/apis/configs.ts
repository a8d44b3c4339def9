import {
  DescribeConfigs,
  ERROR_CODES,
  IncrementalAlterConfigs,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import {
  CONFIG_SOURCE,
  TopicConfig,
  configProblem,
  configsProblem,
  isListConfig,
  listOf,
} from '../cluster/topic-config.js';
import { topicNameProblem } from '../cluster/topic-name.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type AskedResource = ReceivedRequestOf<typeof DescribeConfigs>['resources'][number];
type DescribedResource = AnswerOf<typeof DescribeConfigs>['results'][number];
type AlteredResource = ReceivedRequestOf<typeof IncrementalAlterConfigs>['resources'][number];
type Alteration = AlteredResource['configs'][number];

/** Kinds of resource, by ConfigResource's numbers. */
const TOPIC = 2;
const BROKER = 4;
const OPERATION = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

interface Refusal {
  readonly error: ErrorName;
  readonly message: string | null;
}

/** What the brokers themselves are asked about by clients. They are started with it: nothing of it can be altered. */
const brokerConfigs = ({ groups, autoCreateTopics }: RequestScope) => [
  { name: 'auto.create.topics.enable', value: String(autoCreateTopics), configType: 1 },
  { name: 'default.replication.factor', value: '1', configType: 3 },
  { name: 'group.initial.rebalance.delay.ms', value: String(groups.settings.initialRebalanceDelayMs), configType: 3 },
  { name: 'group.max.session.timeout.ms', value: String(groups.settings.maxSessionTimeoutMs), configType: 3 },
  { name: 'group.min.session.timeout.ms', value: String(groups.settings.minSessionTimeoutMs), configType: 3 },
  { name: 'message.max.bytes', value: '1048588', configType: 3 },
  { name: 'min.insync.replicas', value: '1', configType: 3, configSource: CONFIG_SOURCE.cluster },
  { name: 'num.partitions', value: '1', configType: 3 },
];

const undescribed = (asked: AskedResource, error: ErrorName, errorMessage: string): DescribedResource => ({
  errorCode: ERROR_CODES[error],
  errorMessage,
  resourceType: asked.resourceType,
  resourceName: asked.resourceName,
  configs: [],
});

function described(asked: AskedResource, configs: DescribedResource['configs']): DescribedResource {
  const { resourceType, resourceName } = asked;
  return { errorCode: ERROR_CODES.NONE, errorMessage: '', resourceType, resourceName, configs };
}

function describe(asked: AskedResource, synonyms: boolean, scope: RequestScope): DescribedResource {
  const { resourceType, resourceName: name } = asked;
  // No names at all means every one, as null does.
  const names = asked.configurationKeys?.length ? asked.configurationKeys : null;
  if (resourceType === TOPIC) {
    const illegal = topicNameProblem(name);
    if (illegal !== undefined)
      return undescribed(asked, 'INVALID_TOPIC_EXCEPTION', `Topic name is invalid: ${illegal}`);
    const topic = scope.cluster.topic(name);
    if (topic === undefined) return undescribed(asked, 'UNKNOWN_TOPIC_OR_PARTITION', '');
    const entries = topic.config.entries(names).map((entry) => ({
      ...entry,
      synonyms:
        synonyms && entry.configSource === CONFIG_SOURCE.topic
          ? [{ name: entry.name, value: entry.value, source: CONFIG_SOURCE.topic }]
          : [],
      documentation: null,
    }));
    return described(asked, entries);
  }
  if (resourceType !== BROKER)
    return undescribed(asked, 'INVALID_REQUEST', `Unsupported resource type: ${resourceType}`);
  // The empty name means what all brokers have in common that was set while they ran: nothing here.
  if (name === '') return described(asked, []);
  if (!/^\d+$/.test(name))
    return undescribed(asked, 'INVALID_REQUEST', `Broker id must be an integer, but it is: ${name}`);
  if (Number(name) !== scope.node.id) {
    const message = `Unexpected broker id, expected ${scope.node.id} or empty string, but received ${name}`;
    return undescribed(asked, 'INVALID_REQUEST', message);
  }
  const configs = brokerConfigs(scope).filter((config) => names === null || names.includes(config.name));
  return described(
    asked,
    configs.map((config) => ({
      configSource: CONFIG_SOURCE.default,
      ...config,
      readOnly: true,
      isSensitive: false,
      synonyms: [],
      documentation: null,
    })),
  );
}

/** What one alteration makes of a topic's configuration: a value, none any more (undefined), or a refusal. */
function altered(config: TopicConfig, { name, value, configOperation }: Alteration): string | undefined | Refusal {
  if (configOperation === OPERATION.delete) return undefined;
  if (value === null) return { error: 'INVALID_REQUEST', message: `Null value not supported for : ${name}` };
  switch (configOperation) {
    case OPERATION.set:
      break;
    case OPERATION.append:
    case OPERATION.subtract: {
      if (!isListConfig(name)) {
        const verb = configOperation === OPERATION.append ? 'APPEND' : 'SUBTRACT';
        return { error: 'INVALID_CONFIG', message: `Can't ${verb} to key ${name} because its type is not LIST.` };
      }
      const words = listOf(config.value(name));
      const given = listOf(value);
      const now =
        configOperation === OPERATION.append
          ? [...words, ...given.filter((word) => !words.includes(word))]
          : words.filter((word) => !given.includes(word));
      value = now.join(',');
      break;
    }
    default:
      return { error: 'UNKNOWN_SERVER_ERROR', message: null };
  }
  const problem = configProblem(name, value);
  return problem === undefined ? value : { error: 'INVALID_CONFIG', message: problem };
}

/** Alters a resource wholly or, when anything about it is refused, not at all. */
function alter(
  { resourceType, resourceName, configs }: AlteredResource,
  validateOnly: boolean,
  { cluster, node }: RequestScope,
): Refusal {
  if (resourceType === BROKER) {
    const misnamed = brokerProblem(resourceName, node.id);
    if (misnamed !== undefined) return { error: 'INVALID_REQUEST', message: misnamed };
    const names = configs.map(({ name }) => name).join(', ');
    return { error: 'INVALID_REQUEST', message: `Cannot update these configs dynamically: [${names}]` };
  }
  if (resourceType !== TOPIC) return { error: 'INVALID_REQUEST', message: `Unknown resource type ${resourceType}` };
  if (resourceName === '') return { error: 'INVALID_REQUEST', message: 'Default topic resources are not allowed.' };
  if (new Set(configs.map(({ name }) => name)).size !== configs.length) {
    return { error: 'INVALID_REQUEST', message: 'Error due to duplicate config keys' };
  }
  const illegal = topicNameProblem(resourceName);
  if (illegal !== undefined) {
    return { error: 'INVALID_TOPIC_EXCEPTION', message: `Topic name is invalid: ${illegal}` };
  }
  const topic = cluster.topic(resourceName);
  // Values are looked at whether or not there is such a topic.
  const config = topic?.config ?? new TopicConfig();
  const values = new Map<string, string | undefined>();
  for (const alteration of configs) {
    const value = altered(config, alteration);
    if (typeof value === 'object') return value;
    values.set(alteration.name, value);
  }
  const together = new Map(config.overrides());
  for (const [name, value] of values) {
    if (value === undefined) together.delete(name);
    else together.set(name, value);
  }
  const problem = configsProblem(together);
  if (problem !== undefined) return { error: 'INVALID_CONFIG', message: problem };
  if (topic === undefined) {
    return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: `The topic '${resourceName}' does not exist.` };
  }
  if (!validateOnly) for (const [name, value] of values) topic.config.set(name, value);
  return { error: 'NONE', message: null };
}

function brokerProblem(name: string, nodeId: number): string | undefined {
  if (name === '') return undefined;
  if (!/^\d+$/.test(name)) return `Node id must be an integer, but it is: ${name}`;
  return Number(name) === nodeId ? undefined : `Unexpected broker id, expected ${nodeId}, but received ${name}`;
}

export const configs: readonly ServedApi[] = [
  serve(
    DescribeConfigs,
    [1, 4],
    (request, scope) => ({
      throttleTimeMs: 0,
      results: request.resources.map((asked) => describe(asked, request.includeSynonyms, scope)),
    }),
    (request, errorCode) => ({
      throttleTimeMs: 0,
      results: request.resources.map(({ resourceType, resourceName }) => ({
        errorCode,
        errorMessage: null,
        resourceType,
        resourceName,
        configs: [],
      })),
    }),
  ),
  serve(
    IncrementalAlterConfigs,
    [0, 1],
    (request, scope) => {
      const { resources, validateOnly } = request;
      const responses = resources.map((resource) => {
        const { resourceType, resourceName } = resource;
        const same = resources.filter((r) => r.resourceType === resourceType && r.resourceName === resourceName);
        const { error, message }: Refusal =
          same.length > 1
            ? { error: 'INVALID_REQUEST', message: 'Each resource must appear at most once.' }
            : alter(resource, validateOnly, scope);
        return { errorCode: ERROR_CODES[error], errorMessage: message, resourceType, resourceName };
      });
      return { throttleTimeMs: 0, responses };
    },
    (request, errorCode) => ({
      throttleTimeMs: 0,
      responses: request.resources.map(({ resourceType, resourceName }) => ({
        errorCode,
        errorMessage: null,
        resourceType,
        resourceName,
      })),
    }),
  ),
];
