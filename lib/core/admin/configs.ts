import { DescribeConfigs, IncrementalAlterConfigs } from '../protocol/index.js';
import {
  aBoolean,
  aListOf,
  aString,
  checkOptions,
  describe,
  KrafkaConfigError,
  KrafkaError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
  type OptionRules,
} from '../support/index.js';
import type { BrokerConnection } from '../network/index.js';
import { answerOr, type AdminCall, type Answers } from './admin-call.js';
import { CALL_OPTIONS, textByName, withoutRepeats, type CallOptions, type Complete } from './call-options.js';
import { allOrThrow, merged, type Settled } from './settle-each.js';

/** What has a configuration of its own. */
export type ConfigResourceType = keyof typeof RESOURCE_TYPES;

/** One thing that has a configuration. */
export interface ConfigResource {
  readonly type: ConfigResourceType;
  /** A topic's or group's name, a broker's node id as text; '' for the default of all brokers. */
  readonly name: string;
}

/** What to read of a resource's configuration. */
export interface ConfigQuery extends ConfigResource {
  /** Only these entries. Default: all. */
  readonly keys?: readonly string[] | undefined;
}

export interface DescribeConfigsOptions extends CallOptions {
  /** Where else each entry could come from, in the order of precedence. Default false. */
  readonly includeSynonyms?: boolean | undefined;
  /** Kafka's own explanation of each entry. Default false. */
  readonly includeDocumentation?: boolean | undefined;
}

/** Where the value of an entry comes from. */
export type ConfigSource = (typeof SOURCES)[number];

/** One entry of a configuration. */
export interface ConfigEntry {
  readonly name: string;
  /** Null when it has none, or is sensitive. */
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  readonly source: ConfigSource;
  /** Empty unless asked for. */
  readonly synonyms: readonly { readonly name: string; readonly value: string | null; readonly source: ConfigSource }[];
  /** Null unless asked for. */
  readonly documentation: string | null;
}

/** The configuration of one resource. */
export interface ConfigDescription extends ConfigResource {
  readonly entries: readonly ConfigEntry[];
}

/** What to change of a resource's configuration; everything not named stays (KIP-339). */
export interface ConfigChange extends ConfigResource {
  readonly set?: Readonly<Record<string, string>> | undefined;
  /** Entries to go back to their default. */
  readonly unset?: readonly string[] | undefined;
  /** Items to add to entries that are lists. */
  readonly append?: Readonly<Record<string, string>> | undefined;
  /** Items to take from entries that are lists. */
  readonly subtract?: Readonly<Record<string, string>> | undefined;
}

export interface AlterConfigsOptions extends CallOptions {
  /** Only checks whether it could be done. Default false. */
  readonly validateOnly?: boolean | undefined;
}

const RESOURCE_TYPES = { topic: 2, broker: 4, 'broker-logger': 8, 'client-metrics': 16, group: 32 } as const;
const SOURCES = [
  'unknown',
  'topic',
  'broker',
  'default-broker',
  'static-broker',
  'default',
  'broker-logger',
  'client-metrics',
  'group',
] as const;
const OPERATIONS = { set: 0, unset: 1, append: 2, subtract: 3 } as const;

const MAX_INT32 = 2_147_483_647;

const resourceType = oneOf('topic', 'broker', 'broker-logger', 'client-metrics', 'group');

const resourceName: OptionRule<string> = (value, path) => {
  if (typeof value !== 'string') throw new KrafkaConfigError(path, `must be a string, got ${describe(value)}`);
  return value;
};

/** What belongs to one broker names its node. */
function aResource<T extends ConfigResource>(rules: OptionRules<T>): OptionRule<T> {
  return (value, path) => {
    const checked = checkOptions<T>(value, rules, path);
    const { name } = checked;
    if (isBrokers(checked) && !(/^\d+$/.test(name) && Number(name) <= MAX_INT32)) {
      throw new KrafkaConfigError(`${path}.name`, `of a broker must be its node id, got '${name}'`);
    }
    return checked;
  };
}

/** Whether one broker alone knows of it. */
const isBrokers = ({ type, name }: ConfigResource): boolean =>
  (type === 'broker' || type === 'broker-logger') && name !== '';

const keyOf = ({ type, name }: ConfigResource): string => `${type} '${name}'`;

export const checkConfigQueries = (given: unknown): readonly ConfigQuery[] =>
  withoutRepeats(
    aListOf(aResource<ConfigQuery>({ type: resourceType, name: resourceName, keys: optional(aListOf(aString)) }))(
      given,
      'resources',
    ),
    keyOf,
    'resources',
  );

export const checkConfigChanges = (given: unknown): readonly ConfigChange[] =>
  withoutRepeats(
    aListOf(
      aResource<ConfigChange>({
        type: resourceType,
        name: resourceName,
        set: optional(textByName),
        unset: optional(aListOf(aString)),
        append: optional(textByName),
        subtract: optional(textByName),
      }),
    )(given, 'changes'),
    keyOf,
    'changes',
  );

export const checkDescribeConfigs = (given: DescribeConfigsOptions | undefined): Complete<DescribeConfigsOptions> =>
  checkOptions<Complete<DescribeConfigsOptions>>(
    given,
    {
      ...CALL_OPTIONS,
      includeSynonyms: withDefault(aBoolean, false),
      includeDocumentation: withDefault(aBoolean, false),
    },
    'options',
  );

export const checkAlterConfigs = (given: AlterConfigsOptions | undefined): Complete<AlterConfigsOptions> =>
  checkOptions<Complete<AlterConfigsOptions>>(
    given,
    { ...CALL_OPTIONS, validateOnly: withDefault(aBoolean, false) },
    'options',
  );

export async function describeConfigs(
  call: AdminCall,
  queries: readonly ConfigQuery[],
  options: Complete<DescribeConfigsOptions>,
): Promise<ConfigDescription[]> {
  const settled = await onOwners(call, queries, async (connection, pending) => {
    const response = await connection.sendRequest(
      DescribeConfigs,
      {
        resources: pending.map(({ type, name, keys }) => ({
          resourceType: RESOURCE_TYPES[type],
          resourceName: name,
          configurationKeys: keys ?? null,
        })),
        includeSynonyms: options.includeSynonyms,
        includeDocumentation: options.includeDocumentation,
      },
      call.wait,
    );
    return matched(pending, response.results, 'DescribeConfigs', (query, { configs }): ConfigDescription => ({
      type: query.type,
      name: query.name,
      // To a broker no key means all.
      entries: (query.keys?.length === 0 ? [] : configs).map((entry) => ({
        name: entry.name,
        value: entry.value,
        readOnly: entry.readOnly,
        sensitive: entry.isSensitive,
        source: sourceOf(entry.configSource),
        synonyms: entry.synonyms.map((other) => ({
          name: other.name,
          value: other.value,
          source: sourceOf(other.source),
        })),
        documentation: entry.documentation || null,
      })),
    }));
  });
  const done = allOrThrow(settled, 'configurations to be described');
  return queries.map((query) => done.get(query)!);
}

export async function alterConfigs(
  call: AdminCall,
  changes: readonly ConfigChange[],
  options: Complete<AlterConfigsOptions>,
): Promise<void> {
  const settled = await onOwners(call, changes, async (connection, pending) => {
    const response = await connection.sendRequest(
      IncrementalAlterConfigs,
      {
        resources: pending.map((change) => ({
          resourceType: RESOURCE_TYPES[change.type],
          resourceName: change.name,
          configs: [
            ...assigned(OPERATIONS.set, change.set),
            ...(change.unset ?? []).map((name) => ({ name, configOperation: OPERATIONS.unset, value: null })),
            ...assigned(OPERATIONS.append, change.append),
            ...assigned(OPERATIONS.subtract, change.subtract),
          ],
        })),
        validateOnly: options.validateOnly,
      },
      call.wait,
    );
    return matched(pending, response.responses, 'IncrementalAlterConfigs', () => true as const);
  });
  allOrThrow(settled, 'configurations to be altered');
}

/** What belongs to one broker is asked of that broker, everything else of any. */
async function onOwners<Q extends ConfigResource, R>(
  call: AdminCall,
  resources: readonly Q[],
  ask: (connection: BrokerConnection, pending: readonly Q[]) => Promise<Answers<Q, R>>,
): Promise<Settled<Q, R>> {
  const owned = new Map<number, Q[]>();
  const anybodys: Q[] = [];
  for (const resource of resources) {
    const owner = Number(resource.name);
    if (!isBrokers(resource)) anybodys.push(resource);
    else owned.set(owner, [...(owned.get(owner) ?? []), resource]);
  }
  if (owned.size > 0) await call.one('the brokers of the cluster', () => call.cluster.look([], call.wait));
  return merged(
    await Promise.all([
      call.onAnyBroker(anybodys, keyOf, ask),
      ...Array.from(owned, ([nodeId, here]) => call.onBroker(nodeId, here, keyOf, ask)),
    ]),
  );
}

interface ResourceAnswer {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

function matched<Q extends ConfigResource, A extends ResourceAnswer, R>(
  pending: readonly Q[],
  answers: readonly A[],
  api: string,
  read: (resource: Q, answer: A) => R,
): Answers<Q, R> {
  const found = new Map<Q, R | KrafkaError>();
  for (const answer of answers) {
    const resource = pending.find(
      ({ type, name }) => RESOURCE_TYPES[type] === answer.resourceType && name === answer.resourceName,
    );
    if (resource === undefined) continue;
    const detail = [keyOf(resource), answer.errorMessage].filter(Boolean).join(': ');
    const topic = resource.type === 'topic' ? resource.name : undefined;
    found.set(
      resource,
      answerOr(answer.errorCode, { api, topic, detail }, () => read(resource, answer)),
    );
  }
  return found;
}

const assigned = (configOperation: number, entries: Readonly<Record<string, string>> | undefined) =>
  Object.entries(entries ?? {}).map(([name, value]) => ({ name, configOperation, value }));

const sourceOf = (code: number): ConfigSource => SOURCES[code] ?? 'unknown';
