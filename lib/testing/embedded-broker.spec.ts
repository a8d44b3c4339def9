import {
  ApiVersions,
  CreateTopics,
  ERROR_CODES,
  Fetch,
  FindCoordinator,
  ListOffsets,
  Metadata,
  Produce,
  errorName,
} from '../core/protocol/index.js';
import { EmbeddedBroker } from './index.js';
import { aBatch } from './spec-support/batches.js';
import { WireClient } from './spec-support/wire-client.js';

describe('EmbeddedBroker', () => {
  let broker: EmbeddedBroker;
  let client: WireClient;

  beforeEach(async () => {
    broker = await EmbeddedBroker.start({ topics: { orders: 2 } });
    client = await WireClient.connect(broker.bootstrap);
  });

  afterEach(async () => {
    await client.close();
    await broker.close();
  });

  const produce = async (values: string[], partition = 0) => {
    const records = await aBatch(values);
    const answer = await client.send(Produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 'orders', partitionData: [{ index: partition, records }] }],
    });
    return answer.responses[0]?.partitionResponses[0];
  };

  it('gives each record the next offset of its partition', async () => {
    expect(await produce(['a', 'b', 'c'])).toMatchObject({ errorCode: 0, baseOffset: 0, logStartOffset: 0 });
    expect(await produce(['d'])).toMatchObject({ errorCode: 0, baseOffset: 3 });
    expect(await produce(['e'], 1)).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(broker.records('orders').map(({ partition, offset, value }) => [partition, offset, value])).toEqual([
      [0, 0, 'a'],
      [0, 1, 'b'],
      [0, 2, 'c'],
      [0, 3, 'd'],
      [1, 0, 'e'],
    ]);
  });

  it('hands out what was produced', async () => {
    await produce(['a', 'b']);
    const answer = await client.send(Fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1_000_000,
      sessionEpoch: -1,
      topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] }],
    });
    const partition = answer.responses[0]?.partitions[0];
    expect(partition).toMatchObject({ errorCode: 0, highWatermark: 2, lastStableOffset: 2 });
    expect(partition?.records?.length).toBeGreaterThan(61);
  });

  it('tells what it serves, in the form of version 0 to a version it does not know', async () => {
    const answer = await client.send(ApiVersions, 4, { clientSoftwareName: 'spec', clientSoftwareVersion: '1' });
    expect(answer.apiKeys).toContainEqual({ apiKey: Produce.key, minVersion: 3, maxVersion: 13 });
  });

  it('describes its topics and nodes', async () => {
    const answer = await client.send(Metadata, 12, { topics: null });
    expect(answer.brokers).toHaveLength(1);
    expect(answer.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([['orders', 2]]);
    const missing = await client.send(Metadata, 12, { topics: [{ name: 'nowhere' }] });
    expect(errorName(missing.topics[0]?.errorCode ?? 0)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
  });

  it('creates topics once', async () => {
    const topic = { name: 'new', numPartitions: 3, replicationFactor: 1, assignments: [], configs: [] };
    const create = () => client.send(CreateTopics, 7, { topics: [topic] });
    expect((await create()).topics[0]).toMatchObject({ errorCode: 0, numPartitions: 3 });
    expect((await create()).topics[0]).toMatchObject({ errorCode: ERROR_CODES.TOPIC_ALREADY_EXISTS });
  });

  it('finds offsets by their place in time', async () => {
    await produce(['a', 'b']);
    const answer = await client.send(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        {
          name: 'orders',
          partitions: [
            { partitionIndex: 0, timestamp: -1 },
            { partitionIndex: 1, timestamp: -2 },
          ],
        },
      ],
    });
    expect(answer.topics[0]?.partitions.map(({ offset }) => offset)).toEqual([2, 0]);
  });

  it('coordinates groups', async () => {
    const answer = await client.send(FindCoordinator, 4, { key: '', keyType: 0, coordinatorKeys: ['g'] });
    expect(answer.coordinators[0]).toMatchObject({ key: 'g', errorCode: 0, nodeId: 1 });
  });
});
