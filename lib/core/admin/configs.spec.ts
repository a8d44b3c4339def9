import type { ReceivedAt } from '../cluster/spec-support/scripted-cluster.js';
import { failureOf, setUp } from './spec-support/scripted-admin.js';

const echo = ({ nodeId, request }: ReceivedAt): object => ({
  results: (request['resources'] as { resourceType: number; resourceName: string }[]).map(
    ({ resourceType, resourceName }) => ({
      errorCode: 0,
      errorMessage: null,
      resourceType,
      resourceName,
      configs: [
        {
          name: 'told.by',
          value: String(nodeId),
          readOnly: false,
          configSource: 5,
          isSensitive: false,
          synonyms: [],
        },
      ],
    }),
  ),
});

describe('configurations', () => {
  it('of a broker are asked of that broker, all others of any', async () => {
    const { scripted, admin } = setUp(3);
    scripted.on('DescribeConfigs', echo);
    const told = await admin.describeConfigs([
      { type: 'broker', name: '3' },
      { type: 'topic', name: 't' },
      { type: 'broker', name: '2' },
      { type: 'broker', name: '' },
    ]);
    expect(told.map(({ type, name }) => [type, name])).toEqual([
      ['broker', '3'],
      ['topic', 't'],
      ['broker', '2'],
      ['broker', ''],
    ]);
    expect(told[0]!.entries[0]).toEqual({
      name: 'told.by',
      value: '3',
      readOnly: false,
      sensitive: false,
      source: 'default',
      synonyms: [],
      documentation: null,
    });
    expect(told[2]!.entries[0]!.value).toBe('2');
    expect(scripted.requests('DescribeConfigs')).toHaveLength(3);
  });

  it('of which no entry is asked for have none, though to a broker that means all', async () => {
    const { scripted, admin } = setUp();
    scripted.on('DescribeConfigs', echo);
    const [told] = await admin.describeConfigs([{ type: 'topic', name: 't', keys: [] }]);
    expect(told).toEqual({ type: 'topic', name: 't', entries: [] });
  });

  it('are altered entry by entry', async () => {
    const { scripted, admin } = setUp();
    scripted.on('IncrementalAlterConfigs', () => ({
      responses: [{ errorCode: 0, errorMessage: null, resourceType: 2, resourceName: 't' }],
    }));
    await admin.incrementalAlterConfigs([
      { type: 'topic', name: 't', set: { a: '1' }, unset: ['b'], append: { c: 'x' }, subtract: { d: 'y' } },
    ]);
    expect(scripted.requests('IncrementalAlterConfigs')[0]?.request['resources']).toEqual([
      {
        resourceType: 2,
        resourceName: 't',
        configs: [
          { name: 'a', configOperation: 0, value: '1' },
          { name: 'b', configOperation: 1, value: null },
          { name: 'c', configOperation: 2, value: 'x' },
          { name: 'd', configOperation: 3, value: 'y' },
        ],
      },
    ]);
  });

  it.each([
    [{ type: 'topics', name: 't' }, "did you mean 'topic'"],
    [{ type: 'broker', name: 'b1' }, "'resources[0].name' of a broker must be its node id"],
    [{ type: 'broker-logger', name: '2147483648' }, "'resources[0].name' of a broker must be its node id"],
  ])('of %j are refused', async (resource, problem) => {
    expect((await failureOf(setUp().admin.describeConfigs([resource as never]))).message).toContain(problem);
  });
});
