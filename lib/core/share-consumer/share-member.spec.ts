import { FakeClock, settled } from '../consumer/spec-support/fake-clock.js';
import { fakePorts } from '../consumer/spec-support/ports.js';
import { ScriptedCluster, idOf } from '../consumer/spec-support/scripted-cluster.js';
import { ScriptedCoordinator } from '../consumer/spec-support/scripted-coordinator.js';
import { ERROR_CODES } from '../protocol/index.js';
import { Deadline } from '../support/index.js';
import { ShareMember } from './share-member.js';

const beat = (parts: object = {}): object => ({
  errorCode: 0,
  errorMessage: null,
  memberEpoch: 1,
  heartbeatIntervalMs: 5_000,
  assignment: null,
  ...parts,
});
const assigned = (...partitions: number[]): object =>
  beat({ assignment: { topicPartitions: partitions.length === 0 ? [] : [{ topicId: idOf('t'), partitions }] } });

function setUp() {
  const clock = new FakeClock();
  const coordinator = new ScriptedCoordinator();
  const cluster = new ScriptedCluster();
  cluster.lead({ t: [1, 1, 1] });
  const seen: string[] = [];
  let refreshed = 0;
  const member = new ShareMember({
    coordinator,
    cluster: {
      get metadata() {
        return cluster.metadata;
      },
      refresh: () => {
        refreshed++;
        return Promise.resolve(cluster.metadata);
      },
    },
    settings: { requestTimeoutMs: 1_000, rack: 'r1' },
    topics: ['t'],
    ports: fakePorts(clock),
    onAssigned: (partitions) => seen.push(partitions.map(({ topic, partition }) => `${topic}/${partition}`).join(' ')),
    onState: (state) => seen.push(`[${state}]`),
    onFatal: (error) => seen.push(`fatal ${error.code}`),
  });
  return { clock, coordinator, cluster, member, seen, refreshes: () => refreshed };
}
const bodies = (coordinator: ScriptedCoordinator) =>
  coordinator.requests('ShareGroupHeartbeat').map(({ body }) => body as Record<string, unknown>);

describe('a member of a share group', () => {
  it('joins by heartbeat with high priority, follows the assignment, and says everything only once', async () => {
    const { clock, coordinator, member, seen } = setUp();
    coordinator.next('ShareGroupHeartbeat', assigned(0, 2)).always('ShareGroupHeartbeat', beat());
    member.start();
    await clock.advance(5_000);
    expect(seen).toEqual(['[joining]', 't/0 t/2', '[stable]']);
    expect(bodies(coordinator)).toEqual([
      { groupId: 'g', memberId: member.memberId, memberEpoch: 0, rackId: 'r1', subscribedTopicNames: ['t'] },
      { groupId: 'g', memberId: member.memberId, memberEpoch: 1, rackId: null, subscribedTopicNames: null },
    ]);
    expect(coordinator.sent.map(({ options }) => options.priority)).toEqual(['high', 'high']);
    // As Kafka writes ids of its own: 22 characters, which is what brokers take for one.
    expect(member.memberId).toHaveLength(22);
  });

  it('asks again soon while there is nothing to assign yet, and not for ever', async () => {
    const { clock, coordinator, member } = setUp();
    coordinator.always('ShareGroupHeartbeat', assigned());
    member.start();
    await clock.advance(300 * 20);
    expect(bodies(coordinator)).toHaveLength(21);
    await clock.advance(4_999);
    expect(bodies(coordinator)).toHaveLength(21);
  });

  it('waits for the names of topics that the coordinator names by ids', async () => {
    const { clock, cluster, coordinator, member, refreshes, seen } = setUp();
    cluster.lead({});
    coordinator.next('ShareGroupHeartbeat', assigned(1)).always('ShareGroupHeartbeat', beat());
    member.start();
    await settled();
    expect([seen, refreshes()]).toEqual([['[joining]'], 1]);
    cluster.lead({ t: [1, 1] });
    await clock.advance(1_000);
    expect(seen).toEqual(['[joining]', 't/1', '[stable]']);
  });

  it.each([
    ['has given it up', 'UNKNOWN_MEMBER_ID'],
    ['has gone on without it', 'FENCED_MEMBER_EPOCH'],
    ['was deleted while it was thought dead', 'GROUP_ID_NOT_FOUND'],
  ] as const)('joins again under its name when the group %s', async (_what, error) => {
    const { clock, coordinator, member, seen } = setUp();
    coordinator
      .next('ShareGroupHeartbeat', assigned(0))
      .next('ShareGroupHeartbeat', beat({ errorCode: ERROR_CODES[error] }))
      .next('ShareGroupHeartbeat', assigned(1))
      .always('ShareGroupHeartbeat', beat());
    member.start();
    await clock.advance(5_000);
    expect(seen).toEqual(['[joining]', 't/0', '[stable]', '', '[joining]', 't/1', '[stable]']);
    expect(bodies(coordinator).at(-1)).toMatchObject({
      memberEpoch: 0,
      memberId: member.memberId,
      subscribedTopicNames: ['t'],
    });
  });

  it('does not storm a coordinator that contradicts itself', async () => {
    const { clock, coordinator, member } = setUp();
    coordinator.always('ShareGroupHeartbeat', beat({ errorCode: ERROR_CODES.UNKNOWN_MEMBER_ID }));
    member.start();
    await clock.advance(1_000);
    expect(bodies(coordinator).length).toBeLessThan(8);
  });

  it('looks for the coordinator when it has moved, and says everything again', async () => {
    const { clock, coordinator, member } = setUp();
    coordinator
      .next('ShareGroupHeartbeat', assigned(0))
      .next('ShareGroupHeartbeat', beat({ errorCode: ERROR_CODES.NOT_COORDINATOR }))
      .always('ShareGroupHeartbeat', beat());
    member.start();
    await clock.advance(6_000);
    expect(coordinator.heeded).toContain(ERROR_CODES.NOT_COORDINATOR);
    expect(bodies(coordinator)[2]).toMatchObject({ memberEpoch: 1, rackId: 'r1', subscribedTopicNames: ['t'] });
  });

  it('tells of other topics at once', async () => {
    const { coordinator, member } = setUp();
    coordinator.next('ShareGroupHeartbeat', assigned(0)).always('ShareGroupHeartbeat', beat());
    member.start();
    await settled();
    member.subscribe(['t', 'u']);
    await settled();
    expect(bodies(coordinator)[1]).toMatchObject({ memberEpoch: 1, subscribedTopicNames: ['t', 'u'] });
  });

  it.each([
    ['it may not join', 'GROUP_AUTHORIZATION_FAILED'],
    ['the group is of another type', 'GROUP_ID_NOT_FOUND'],
  ] as const)('ends when it is refused for good, as %s', async (_why, error) => {
    const { clock, coordinator, member, seen } = setUp();
    coordinator.always('ShareGroupHeartbeat', beat({ errorCode: ERROR_CODES[error] }));
    member.start();
    await clock.advance(20_000);
    expect(seen).toEqual(['[joining]', '[fatal]', `fatal ${error}`]);
    expect(bodies(coordinator)).toHaveLength(1);
  });

  it('leaves with a word, and is silent from then on', async () => {
    const { clock, coordinator, member, seen } = setUp();
    coordinator.next('ShareGroupHeartbeat', assigned(0)).always('ShareGroupHeartbeat', beat());
    member.start();
    await settled();
    await member.leave(new Deadline(clock, 1_000, 'close timeoutMs'));
    expect(bodies(coordinator).at(-1)).toEqual({ groupId: 'g', memberId: member.memberId, memberEpoch: -1 });
    expect(coordinator.sent.at(-1)?.options.once).toBe(true);
    await clock.advance(60_000);
    expect(bodies(coordinator)).toHaveLength(2);
    expect(seen.slice(3)).toEqual(['[leaving]', '[left]']);
  });

  it('leaves with a word before its join is answered, too: it may be counted in', async () => {
    const { clock, coordinator, member } = setUp();
    coordinator.next('ShareGroupHeartbeat', () => new Promise(() => undefined));
    coordinator.next('ShareGroupHeartbeat', beat());
    member.start();
    await settled();
    await member.leave(new Deadline(clock, 1_000, 'close timeoutMs'));
    expect(bodies(coordinator).map(({ memberEpoch }) => memberEpoch)).toEqual([0, -1]);
    expect(bodies(coordinator)[1]).toMatchObject({ memberId: member.memberId });
  });

  it('that leaves before it has reached the coordinator sends nothing, and no join afterwards', async () => {
    const { clock, coordinator, member, seen } = setUp();
    let connected = (): void => undefined;
    coordinator.connecting = new Promise((resolve) => (connected = resolve));
    member.start();
    await member.leave(new Deadline(clock, 1_000, 'close timeoutMs'));
    connected();
    await settled();
    expect(bodies(coordinator)).toEqual([]);
    expect(seen).toEqual(['[joining]', '[left]']);
  });
});
