import type { ReceivedAt } from '../cluster/spec-support/scripted-cluster.js';
import { failureOf, setUp as setUpAdmin, TOPIC_ID } from './spec-support/scripted-admin.js';

const coordinatedBy =
  (nodeOf: (group: string) => number) =>
  ({ request }: ReceivedAt): object => ({
    coordinators: (request['coordinatorKeys'] as string[]).map((key) => ({
      key,
      nodeId: nodeOf(key),
      host: `b${nodeOf(key)}`,
      port: 9092,
      errorCode: 0,
      errorMessage: null,
    })),
  });
const described = (groupId: string, changes: object = {}): object => ({
  errorCode: 0,
  groupId,
  groupState: 'Stable',
  protocolType: 'consumer',
  protocolData: 'range',
  members: [],
  ...changes,
});
const unheardOf = ({ request }: ReceivedAt): object => ({
  groups: (request['groupIds'] as string[]).map((groupId) => ({
    errorCode: 69,
    errorMessage: null,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  })),
});

/** An admin of a cluster that has no share groups, unless the test says so. */
function setUp(brokers = 1): ReturnType<typeof setUpAdmin> {
  const up = setUpAdmin(brokers);
  up.scripted.on('ShareGroupDescribe', unheardOf);
  return up;
}

describe('groups', () => {
  it('are asked about at their coordinators, one request each', async () => {
    const { scripted, admin } = setUp(2);
    scripted.on(
      'FindCoordinator',
      coordinatedBy((group) => (group === 'b' ? 2 : 1)),
    );
    scripted.on('ConsumerGroupDescribe', unheardOf);
    scripted.on('DescribeGroups', ({ request }) => ({
      groups: (request['groups'] as string[]).map((id) => described(id)),
    }));
    const groups = await admin.describeGroups(['c', 'b', 'a']);
    expect(groups.map(({ groupId, coordinator }) => [groupId, coordinator.nodeId])).toEqual([
      ['c', 1],
      ['b', 2],
      ['a', 1],
    ]);
    expect(scripted.requests('DescribeGroups').map(({ nodeId, request }) => [nodeId, request['groups']])).toEqual([
      [1, ['c', 'a']],
      [2, ['b']],
    ]);
    expect(scripted.requests('FindCoordinator')).toHaveLength(1);
  });

  it('are looked for again when the coordinator has moved', async () => {
    const { scripted, admin } = setUp(2);
    let coordinator = 1;
    scripted
      .on(
        'FindCoordinator',
        coordinatedBy(() => coordinator),
      )
      .on('ConsumerGroupDescribe', unheardOf);
    scripted.on('DescribeGroups', ({ nodeId }) => {
      coordinator = 2;
      return { groups: [described('g', nodeId === 1 ? { errorCode: 16 } : {})] };
    });
    const groups = admin.describeGroups(['g']);
    await scripted.clock.advance(1_000);
    await expect(groups).resolves.toMatchObject([{ type: 'classic', coordinator: { nodeId: 2 } }]);
  });

  it('are told apart by their kind', async () => {
    const { scripted, admin } = setUp();
    scripted.on('ConsumerGroupDescribe', () => ({
      groups: [
        {
          errorCode: 0,
          errorMessage: null,
          groupId: 'new',
          groupState: 'Stable',
          groupEpoch: 7,
          assignmentEpoch: 7,
          assignorName: 'uniform',
          members: [
            {
              memberId: 'm',
              instanceId: null,
              rackId: 'r',
              memberEpoch: 7,
              clientId: 'c',
              clientHost: '/h',
              subscribedTopicNames: ['t'],
              subscribedTopicRegex: '',
              assignment: { topicPartitions: [{ topicId: TOPIC_ID, topicName: 't', partitions: [0, 1] }] },
              targetAssignment: { topicPartitions: [] },
            },
          ],
        },
        { ...(unheardOf({ request: { groupIds: ['old'] } } as never) as { groups: object[] }).groups[0] },
      ],
    }));
    // Version 0, the topic t with partitions 3 and 5, no user data.
    const memberAssignment = Buffer.from(
      '00000000000100017400000002'.concat('00000003', '00000005', 'ffffffff'),
      'hex',
    );
    scripted.on('DescribeGroups', () => ({
      groups: [
        described('old', {
          members: [
            {
              memberId: 'm',
              groupInstanceId: 'i',
              clientId: 'c',
              clientHost: '/h',
              memberMetadata: Buffer.alloc(0),
              memberAssignment,
            },
          ],
        }),
      ],
    }));
    const [fresh, classic] = await admin.describeGroups(['new', 'old']);
    expect(fresh).toMatchObject({
      type: 'consumer',
      groupEpoch: 7,
      assignor: 'uniform',
      members: [{ memberId: 'm', rack: 'r', subscribedRegex: null, assignment: [{ topic: 't', partitions: [0, 1] }] }],
    });
    expect(classic).toMatchObject({
      type: 'classic',
      assignor: 'range',
      members: [{ groupInstanceId: 'i', assignment: [{ topic: 't', partitions: [3, 5] }] }],
    });
  });

  it('of the kind that shares are described with their members', async () => {
    const { scripted, admin } = setUp();
    scripted.on('ConsumerGroupDescribe', unheardOf);
    scripted.on('ShareGroupDescribe', () => ({
      groups: [
        {
          errorCode: 0,
          errorMessage: null,
          groupId: 'queue',
          groupState: 'Stable',
          groupEpoch: 3,
          assignmentEpoch: 2,
          assignorName: 'simple',
          members: [
            {
              memberId: 'm',
              rackId: null,
              memberEpoch: 3,
              clientId: 'c',
              clientHost: '/h',
              subscribedTopicNames: ['t'],
              assignment: { topicPartitions: [{ topicId: TOPIC_ID, topicName: 't', partitions: [0, 1] }] },
            },
          ],
        },
      ],
    }));
    expect(await admin.describeGroups(['queue'])).toMatchObject([
      {
        type: 'share',
        state: 'Stable',
        assignor: 'simple',
        groupEpoch: 3,
        assignmentEpoch: 2,
        members: [{ memberId: 'm', subscribedTopics: ['t'], assignment: [{ topic: 't', partitions: [0, 1] }] }],
      },
    ]);
    expect(scripted.requests('DescribeGroups')).toHaveLength(0);
  });

  it('that do not exist are GROUP_ID_NOT_FOUND by their name, whatever the broker calls it', async () => {
    const { scripted, admin } = setUp();
    scripted.on('ConsumerGroupDescribe', unheardOf);
    scripted.on('DescribeGroups', () => ({ groups: [described('typo', { groupState: 'Dead' })] }));
    expect(await failureOf(admin.describeGroups(['typo']))).toMatchObject({
      code: 'GROUP_ID_NOT_FOUND',
      message: expect.stringContaining("group 'typo'"),
    });
  });

  it('whose assignment can not be read are an error, not a group without partitions', async () => {
    const { scripted, admin } = setUp();
    scripted.on('ConsumerGroupDescribe', unheardOf);
    const member = {
      memberId: 'm',
      clientId: 'c',
      clientHost: '/h',
      memberMetadata: Buffer.alloc(0),
      memberAssignment: Buffer.from('0000ff', 'hex'),
    };
    scripted.on('DescribeGroups', () => ({ groups: [described('g', { members: [member] })] }));
    expect(await failureOf(admin.describeGroups(['g']))).toMatchObject({ code: 'MALFORMED' });
  });

  it('of all brokers are listed once each', async () => {
    const { scripted, admin } = setUp(2);
    scripted.on('ListGroups', ({ nodeId }) => ({
      errorCode: 0,
      groups: ['shared', `only-${nodeId}`].map((groupId) => ({
        groupId,
        protocolType: 'consumer',
        groupState: 'Stable',
        groupType: 'Classic',
      })),
    }));
    expect((await admin.listGroups({ states: ['Stable'] })).map(({ groupId, type }) => [groupId, type])).toEqual([
      ['only-1', 'classic'],
      ['only-2', 'classic'],
      ['shared', 'classic'],
    ]);
    expect(scripted.requests('ListGroups').map(({ request }) => request['statesFilter'])).toEqual([
      ['Stable'],
      ['Stable'],
    ]);
  });

  it('that can not be deleted are told, and the others deleted', async () => {
    const { scripted, admin } = setUp();
    scripted.on('DeleteGroups', ({ request }) => ({
      results: (request['groupsNames'] as string[]).map((groupId) => ({
        groupId,
        errorCode: groupId === 'busy' ? 68 : 0,
      })),
    }));
    expect(await failureOf(admin.deleteGroups(['busy', 'idle']))).toMatchObject({ code: 'NON_EMPTY_GROUP' });
  });
});
