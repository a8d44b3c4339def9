import {
  ApiVersions,
  DescribeCluster,
  IncrementalAlterConfigs,
  Metadata,
  OffsetFetch,
  errorName,
  type ErrorName,
} from '../../core/protocol/index.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import type { WireClient } from '../spec-support/wire-client.js';

describe('who asks where topics are', () => {
  let spec: SpecBroker;
  let client: WireClient;
  let idOfOrders: string;

  beforeEach(async () => {
    spec = await SpecBroker.start({ topics: { orders: 2, parcels: 1 } });
    client = await spec.connect();
    idOfOrders = (await client.send(Metadata, 12, { topics: [{ name: 'orders' }] })).topics[0]?.topicId ?? '';
  });
  afterEach(() => spec.close());

  type Told = readonly (readonly [name: string | null, error: ErrorName])[];

  const ask = async (topics: readonly { name: string | null; topicId?: string }[], version = 12): Promise<Told> => {
    const answer = await client.send(Metadata, version, { topics });
    return answer.topics.map(({ name, errorCode }) => [name, errorName(errorCode)]);
  };

  it('is told of each topic once, of those that there are first', async () => {
    expect(await ask([{ name: 'missing' }, { name: 'orders' }, { name: 'parcels' }, { name: 'orders' }])).toEqual([
      ['orders', 'NONE'],
      ['parcels', 'NONE'],
      ['missing', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ]);
  });

  it('may ask by id from version 12 on, and by name then not in the same breath', async () => {
    expect(await ask([{ name: 'parcels' }, { name: null, topicId: idOfOrders }])).toEqual([['orders', 'NONE']]);
    expect(await ask([{ name: 'parcels', topicId: idOfOrders }])).toEqual([['orders', 'NONE']]);
    const stranger = { name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAg' };
    expect(await ask([{ name: null, topicId: idOfOrders }, stranger])).toEqual([
      [null, 'UNKNOWN_TOPIC_ID'],
      ['orders', 'NONE'],
    ]);
    expect(await ask([{ name: 'orders', topicId: idOfOrders }], 11)).toEqual([['orders', 'INVALID_REQUEST']]);
    expect(await ask([{ name: null, topicId: idOfOrders }], 10)).toEqual([['', 'INVALID_REQUEST']]);
    expect(await ask([{ name: null }])).toEqual([['', 'UNKNOWN_SERVER_ERROR']]);
  });

  it('is told last of ids that no topic has, when it asks for offsets', async () => {
    const topics = ['AAAAAAAAAAAAAAAAAAAAAg', idOfOrders].map((topicId) => ({ topicId, partitionIndexes: [0] }));
    const answer = await client.send(OffsetFetch, 10, { groups: [{ groupId: 'g', topics }] });
    expect(answer.groups[0]?.topics.map(({ topicId }) => topicId)).toEqual([idOfOrders, 'AAAAAAAAAAAAAAAAAAAAAg']);
  });

  it('is told of features in version 3 only where they have a lower level, as it can’t say 0', async () => {
    const featuresAt = async (version: number): Promise<readonly string[]> => {
      const request = { clientSoftwareName: 'spec', clientSoftwareVersion: '1' };
      return (await client.send(ApiVersions, version, request)).supportedFeatures.map(({ name }) => name);
    };
    expect(await featuresAt(3)).toEqual(['metadata.version']);
    expect(await featuresAt(4)).toEqual(['group.version', 'transaction.version', 'metadata.version']);
  });

  it('is told which kinds of endpoint there are', async () => {
    const errorOf = async (endpointType: number): Promise<ErrorName> =>
      errorName(
        (await client.send(DescribeCluster, 1, { endpointType, includeClusterAuthorizedOperations: false })).errorCode,
      );
    expect(await errorOf(1)).toBe('NONE');
    expect(await errorOf(2)).toBe('MISMATCHED_ENDPOINT_TYPE');
    expect(await errorOf(7)).toBe('UNSUPPORTED_ENDPOINT_TYPE');
  });

  it('can’t alter configurations that do not go together, nor of what has no name for a topic', async () => {
    const alter = async (resourceName: string, name: string, value: string): Promise<ErrorName> => {
      const configs = [{ name, configOperation: 0, value }];
      const resources = [{ resourceType: 2, resourceName, configs }];
      const answer = await client.send(IncrementalAlterConfigs, 1, { resources, validateOnly: false });
      return errorName(answer.responses[0]?.errorCode ?? 0);
    };
    expect(await alter('orders', 'max.compaction.lag.ms', '5')).toBe('NONE');
    expect(await alter('orders', 'min.compaction.lag.ms', '10')).toBe('INVALID_CONFIG');
    expect(await alter('missing', 'retention.ms', '5')).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await alter('missing', 'retention.ms', 'x')).toBe('INVALID_CONFIG');
    expect(await alter('a b', 'retention.ms', '5')).toBe('INVALID_TOPIC_EXCEPTION');
    expect(await alter('', 'retention.ms', '5')).toBe('INVALID_REQUEST');
  });
});
