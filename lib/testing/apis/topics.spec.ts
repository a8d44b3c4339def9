import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
  DescribeConfigs,
  errorName,
  type ErrorName,
} from '../../core/protocol/index.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import type { WireClient } from '../spec-support/wire-client.js';

describe('topics that are asked for together', () => {
  let spec: SpecBroker;
  let client: WireClient;

  beforeEach(async () => {
    spec = await SpecBroker.start({ topics: { orders: 2, parcels: 1 } });
    client = await spec.connect();
  });
  afterEach(() => spec.close());

  type Answered = readonly (readonly [name: string | null, error: ErrorName])[];

  const create = async (...wanted: readonly (readonly [name: string, partitions?: number])[]): Promise<Answered> => {
    const topics = wanted.map(([name, numPartitions = 1]) => ({
      name,
      numPartitions,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }));
    const answer = await client.send(CreateTopics, 7, { topics });
    return answer.topics.map(({ name, errorCode }) => [name, errorName(errorCode)]);
  };

  const remove = async (...topics: readonly { name: string | null; topicId?: string }[]): Promise<Answered> => {
    const answer = await client.send(DeleteTopics, 6, { topics, timeoutMs: 1_000 });
    return answer.responses.map(({ name, errorCode }) => [name, errorName(errorCode)]);
  };

  it('are not made where a name comes twice, and the others are', async () => {
    expect(await create(['a'], ['b'], ['a'])).toEqual([
      ['b', 'NONE'],
      ['a', 'INVALID_REQUEST'],
    ]);
  });

  it('may be alike but for a dot, as only what there was before is looked at', async () => {
    expect(await create(['a.b'], ['a_b'])).toEqual([
      ['a.b', 'NONE'],
      ['a_b', 'NONE'],
    ]);
  });

  it('are refused together when they have more than 10,000 partitions', async () => {
    expect(await create(['a', 10_000], ['b'])).toEqual([
      ['a', 'POLICY_VIOLATION'],
      ['b', 'POLICY_VIOLATION'],
    ]);
    expect(() => spec.broker.records('b')).toThrow(/does not exist/);
  });

  it('do not have the name of the controllers’ log', async () => {
    expect(await create(['__cluster_metadata'])).toEqual([['__cluster_metadata', 'INVALID_REQUEST']]);
  });

  it('grow unless they are named twice', async () => {
    const topics = [['parcels', 2] as const, ['orders', 3] as const, ['orders', 4] as const].map(([name, count]) => ({
      name,
      count,
      assignments: null,
    }));
    const { results } = await client.send(CreatePartitions, 3, { topics, timeoutMs: 1000, validateOnly: false });
    expect(results.map(({ name, errorCode }) => [name, errorName(errorCode)])).toEqual([
      ['orders', 'INVALID_REQUEST'],
      ['parcels', 'NONE'],
    ]);
    expect(spec.broker.leaderOf('parcels', 1)).toBe(1);
  });

  it('are not deleted when they are named twice, in two ways or in none', async () => {
    const known = await client.send(DeleteTopics, 6, { topics: [{ name: 'parcels' }], timeoutMs: 1_000 });
    const gone = known.responses[0]?.topicId ?? '';
    expect(await remove({ name: 'orders' }, { name: 'orders' })).toEqual([['orders', 'INVALID_REQUEST']]);
    expect(await remove({ name: 'orders', topicId: gone })).toEqual([['orders', 'INVALID_REQUEST']]);
    expect(await remove({ name: null })).toEqual([[null, 'INVALID_REQUEST']]);
    expect(await remove({ name: null, topicId: gone }, { name: null, topicId: gone })).toEqual([
      [null, 'INVALID_REQUEST'],
    ]);
    expect(await remove({ name: 'orders' })).toEqual([['orders', 'NONE']]);
  });

  it('are not deleted by a name and an id that are the same topic’s', async () => {
    const made = await client.send(CreateTopics, 7, {
      topics: [{ name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    });
    const topicId = made.topics[0]?.topicId ?? '';
    expect(await remove({ name: 'new' }, { name: null, topicId })).toEqual([['new', 'INVALID_REQUEST']]);
    expect(await remove({ name: null, topicId })).toEqual([['new', 'NONE']]);
  });

  it('have their least in-sync replicas from the cluster, which tracks eligible leaders', async () => {
    const answer = await client.send(DescribeConfigs, 4, {
      resources: [{ resourceType: 2, resourceName: 'orders', configurationKeys: ['min.insync.replicas'] }],
    });
    expect(answer.results[0]?.configs.map(({ value, configSource }) => [value, configSource])).toEqual([['1', 3]]);
  });
});
