import { ERROR_CODES, type ApiName } from '../../core/protocol/index.js';
import { EmbeddedBroker } from '../index.js';
import { aBatch } from '../spec-support/batches.js';
import { WireClient } from '../spec-support/wire-client.js';
import { SERVED_APIS } from './index.js';

const nothing = Buffer.alloc(0);

/** A request that means something at each version, by API; fields that a version does not have are left out. */
const REQUESTS: Partial<Record<ApiName, (version: number, records: Buffer) => object>> = {
  Produce: (version, records) => ({
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ ...(version < 13 ? { name: 'orders' } : {}), partitionData: [{ index: 0, records }] }],
  }),
  Fetch: (version) => ({
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1000,
    isolationLevel: 1,
    topics: [
      {
        ...(version < 13 ? { topic: 'orders' } : {}),
        partitions: [
          { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 },
          { partition: 1, fetchOffset: 99, partitionMaxBytes: 1000 },
          { partition: 9, fetchOffset: 0, partitionMaxBytes: 1000 },
        ],
      },
    ],
  }),
  ListOffsets: () => ({
    replicaId: -1,
    isolationLevel: 0,
    topics: [
      {
        name: 'orders',
        partitions: [-1, -2, 0].map((timestamp, partitionIndex) => ({ partitionIndex, timestamp })),
      },
    ],
  }),
  Metadata: () => ({ topics: [{ name: 'orders' }, { name: 'missing' }] }),
  OffsetCommit: (version) => ({
    groupId: 'g',
    topics: [
      {
        ...(version < 10 ? { name: 'orders' } : {}),
        partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }],
      },
    ],
  }),
  OffsetFetch: (version) =>
    version < 8
      ? { groupId: 'g', topics: [{ name: 'orders', partitionIndexes: [0, 1] }] }
      : {
          groups: [{ groupId: 'g', topics: [{ ...(version < 10 ? { name: 'orders' } : {}), partitionIndexes: [0] }] }],
        },
  FindCoordinator: (version) => (version < 4 ? { key: 'g' } : { coordinatorKeys: ['g'] }),
  JoinGroup: () => ({
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    memberId: 'nobody',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: nothing }],
  }),
  Heartbeat: () => ({ groupId: 'g', generationId: 1, memberId: 'nobody' }),
  LeaveGroup: (version) =>
    version < 3 ? { groupId: 'g', memberId: 'nobody' } : { groupId: 'g', members: [{ memberId: 'nobody' }] },
  SyncGroup: () => ({ groupId: 'g', generationId: 1, memberId: 'nobody', assignments: [] }),
  DescribeGroups: () => ({ groups: ['g', 'nowhere'] }),
  ListGroups: () => ({}),
  SaslHandshake: () => ({ mechanism: 'PLAIN' }),
  ApiVersions: (version) => (version < 3 ? {} : { clientSoftwareName: 'spec', clientSoftwareVersion: '1' }),
  CreateTopics: (version) => ({
    topics: [
      { name: `made-at-${version}`, numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] },
      { name: 'orders', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] },
    ],
  }),
  DeleteTopics: (version) =>
    version < 6
      ? { topicNames: [`made-at-${version}`, 'missing'], timeoutMs: 1000 }
      : { topics: [{ name: 'made-at-6' }, { name: null }], timeoutMs: 1000 },
  DeleteRecords: () => ({
    topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, offset: 0 }] }],
    timeoutMs: 1000,
  }),
  InitProducerId: (version) => ({ transactionalId: version % 2 === 0 ? null : 't', transactionTimeoutMs: 1000 }),
  OffsetForLeaderEpoch: () => ({
    topics: [{ topic: 'orders', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
  }),
  AddPartitionsToTxn: (version) => {
    const topics = [{ name: 'orders', partitions: [0] }];
    return version < 4
      ? {
          v3AndBelowTransactionalId: 't',
          v3AndBelowProducerId: 1,
          v3AndBelowProducerEpoch: 0,
          v3AndBelowTopics: topics,
        }
      : { transactions: [{ transactionalId: 't', producerId: 1, producerEpoch: 0, verifyOnly: false, topics }] };
  },
  AddOffsetsToTxn: () => ({ transactionalId: 't', producerId: 1, producerEpoch: 0, groupId: 'g' }),
  EndTxn: () => ({ transactionalId: 't', producerId: 1, producerEpoch: 0, committed: true }),
  TxnOffsetCommit: () => ({
    transactionalId: 't',
    groupId: 'g',
    producerId: 1,
    producerEpoch: 0,
    topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] }],
  }),
  DescribeConfigs: () => ({
    resources: [
      { resourceType: 2, resourceName: 'orders', configurationKeys: null },
      { resourceType: 4, resourceName: '1', configurationKeys: null },
    ],
  }),
  SaslAuthenticate: () => ({ authBytes: nothing }),
  CreatePartitions: () => ({
    topics: [{ name: 'orders', count: 9, assignments: null }],
    timeoutMs: 1000,
    validateOnly: true,
  }),
  DeleteGroups: () => ({ groupsNames: ['nowhere'] }),
  IncrementalAlterConfigs: () => ({
    resources: [
      {
        resourceType: 2,
        resourceName: 'orders',
        configs: [{ name: 'retention.ms', configOperation: 0, value: '1000' }],
      },
    ],
    validateOnly: false,
  }),
  OffsetDelete: () => ({ groupId: 'g', topics: [{ name: 'orders', partitions: [{ partitionIndex: 1 }] }] }),
  DescribeCluster: () => ({ includeClusterAuthorizedOperations: true }),
  DescribeProducers: () => ({ topics: [{ name: 'orders', partitionIndexes: [0, 9] }] }),
  DescribeTransactions: () => ({ transactionalIds: ['t', 'nowhere'] }),
  ListTransactions: () => ({ stateFilters: [], producerIdFilters: [] }),
  ConsumerGroupHeartbeat: (version) => ({
    groupId: 'consumer',
    memberId: `m${version}`,
    memberEpoch: 0,
    rebalanceTimeoutMs: 1000,
    subscribedTopicNames: ['orders'],
    topicPartitions: [],
  }),
  ConsumerGroupDescribe: () => ({ groupIds: ['consumer', 'nowhere'], includeAuthorizedOperations: true }),
  DescribeTopicPartitions: () => ({ topics: [{ name: 'orders' }, { name: 'missing' }] }),
};

const versionsOf = ({ versions }: (typeof SERVED_APIS)[number]): number[] =>
  Array.from({ length: versions.to - versions.from + 1 }, (_, index) => versions.from + index);

describe('the versions that are served', () => {
  let broker: EmbeddedBroker;
  let client: WireClient;
  let records: Buffer;

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({ topics: { orders: 3 } });
    records = await aBatch(['a']);
  });
  beforeEach(async () => {
    client = await WireClient.connect(broker.bootstrap);
  });
  afterEach(() => client.close());
  afterAll(() => broker.close());

  const request = (name: ApiName, version: number): never => {
    const build = REQUESTS[name];
    if (build === undefined) throw new Error(`there is no request of ${name} here`);
    return build(version, records) as never;
  };

  it.each(SERVED_APIS.map((served) => [served.name, served] as const))('%s answers at each', async (name, served) => {
    for (const version of versionsOf(served)) {
      await client.send(served.api, version, request(name, version));
    }
    expect(broker.requests.count(name)).toBeGreaterThanOrEqual(versionsOf(served).length);
  });

  it.each(SERVED_APIS.map((served) => [served.name, served] as const))(
    '%s can be refused at each',
    async (name, served) => {
      for (const version of versionsOf(served)) {
        broker.faults.next(name, { error: 'POLICY_VIOLATION' });
        const answer = await client.send(served.api, version, request(name, version));
        expect(codesIn(answer)).toContain(ERROR_CODES.POLICY_VIOLATION);
      }
    },
  );
});

/** Every error code anywhere in an answer. */
function codesIn(answer: unknown): number[] {
  if (typeof answer !== 'object' || answer === null || Buffer.isBuffer(answer)) return [];
  return Object.entries(answer).flatMap(([name, value]) =>
    /errorcode$/i.test(name) && typeof value === 'number' ? [value] : codesIn(value),
  );
}
