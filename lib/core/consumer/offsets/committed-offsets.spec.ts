import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import { Deadline } from '../../support/index.js';
import { fakePorts } from '../spec-support/ports.js';
import { ScriptedCoordinator } from '../spec-support/scripted-coordinator.js';
import { CommittedOffsets } from './committed-offsets.js';

const partition = (partitionIndex: number, committedOffset: number, error: ErrorName = 'NONE') => ({
  partitionIndex,
  committedOffset,
  committedLeaderEpoch: 2,
  metadata: 'm',
  errorCode: ERROR_CODES[error],
});
const group = (partitions: object[], error: ErrorName = 'NONE') => ({
  groups: [{ groupId: 'g', errorCode: ERROR_CODES[error], topics: [{ name: 't', partitions }] }],
  topics: [],
  errorCode: 0,
});

function setUp(requireStable = false, namesMember = false) {
  const ports = fakePorts();
  const coordinator = new ScriptedCoordinator();
  const committed = new CommittedOffsets({
    coordinator,
    ports,
    requireStable,
    identity: () => ({ memberId: 'm', generation: 4, groupInstanceId: null, life: 0 }),
    heed: () => undefined,
    namesMember: () => namesMember,
  });
  const ask = (partitions = [0, 1]) =>
    committed.of(
      partitions.map((number) => ({ topic: 't', partition: number })),
      new Deadline(ports.clock, 5_000, 'defaultApiTimeoutMs'),
    );
  return { coordinator, ask, ...ports };
}

describe('CommittedOffsets', () => {
  it('tells what the group holds, and leaves out what it holds nothing for', async () => {
    const { coordinator, ask } = setUp();
    coordinator.next('OffsetFetch', group([partition(0, 7), partition(1, -1)]));
    const { kept } = await ask();
    expect([...kept]).toEqual([['t/0', { topic: 't', partition: 0, offset: 7, leaderEpoch: 2, metadata: 'm' }]]);
  });

  it.each([true, false])('asks for stable offsets where only committed records are read: %p', async (stable) => {
    const { coordinator, ask } = setUp(stable);
    coordinator.next('OffsetFetch', group([]));
    await ask();
    expect(coordinator.sent[0]?.body).toEqual({
      groups: [{ groupId: 'g', topics: [{ name: 't', partitionIndexes: [0, 1] }] }],
      requireStable: stable,
    });
    expect(coordinator.sent[0]?.options.maxVersion).toBe(9);
  });

  it('names the member where members have epochs', async () => {
    const { coordinator, ask } = setUp(false, true);
    coordinator.next('OffsetFetch', group([]));
    await ask();
    expect(coordinator.sent[0]?.body.groups[0]).toMatchObject({ memberId: 'm', memberEpoch: 4 });
  });

  it('asks in the words of an old broker', async () => {
    const { coordinator, ask } = setUp(true);
    coordinator.version = 6;
    const topics = [{ name: 't', partitions: [partition(0, 7)] }];
    coordinator.next('OffsetFetch', { groups: [], topics, errorCode: 0 });
    expect((await ask([0])).kept.get('t/0')?.offset).toBe(7);
    expect(coordinator.sent[0]?.body).toEqual({ groupId: 'g', topics: [{ name: 't', partitionIndexes: [0] }] });
  });

  it.each([
    ['an unstable offset', group([partition(0, -1, 'UNSTABLE_OFFSET_COMMIT'), partition(1, 3)])],
    ['a topic it has not heard of yet', group([partition(0, -1, 'UNKNOWN_TOPIC_OR_PARTITION'), partition(1, 3)])],
    ['a coordinator that loads', group([], 'COORDINATOR_LOAD_IN_PROGRESS')],
    ['a coordinator that moved', group([], 'NOT_COORDINATOR')],
    ['a coordinator that fails without a name for it', group([], 'UNKNOWN_SERVER_ERROR')],
  ])('takes %s for unknown, not for absent: it asks again', async (_, first) => {
    const { coordinator, ask, clock } = setUp(true);
    coordinator.next('OffsetFetch', first).next('OffsetFetch', group([partition(0, 5), partition(1, 3)]));
    const asked = ask();
    await clock.advance(1_000);
    expect([...(await asked).kept.values()].map(({ offset }) => offset)).toEqual([5, 3]);
  });

  it('fails when the offsets stay unknown, and never says that there are none', async () => {
    const { coordinator, ask, clock } = setUp(true);
    coordinator.always('OffsetFetch', group([partition(0, -1, 'UNSTABLE_OFFSET_COMMIT')]));
    const asked = ask([0]).catch((error: unknown) => error);
    await clock.advance(5_000);
    expect(await asked).toMatchObject({ code: 'TIMEOUT', cause: { code: 'UNSTABLE_OFFSET_COMMIT' } });
  });

  it('heeds a coordinator that says it is none', async () => {
    const { coordinator, ask, clock } = setUp();
    coordinator.next('OffsetFetch', group([], 'NOT_COORDINATOR')).next('OffsetFetch', group([]));
    const asked = ask();
    await clock.advance(1_000);
    await asked;
    expect(coordinator.heeded).toEqual([ERROR_CODES.NOT_COORDINATOR]);
  });

  it('tells what it may know, and names what it may not', async () => {
    const { coordinator, ask } = setUp();
    coordinator.next('OffsetFetch', group([partition(0, -1, 'TOPIC_AUTHORIZATION_FAILED'), partition(1, 3)]));
    const { kept, refused } = await ask();
    expect(kept.get('t/1')?.offset).toBe(3);
    expect([...refused]).toMatchObject([['t/0', { code: 'TOPIC_AUTHORIZATION_FAILED', topic: 't', partition: 0 }]]);
  });

  it('fails at once when it may know nothing of the group', async () => {
    const { coordinator, ask } = setUp();
    coordinator.next('OffsetFetch', group([], 'GROUP_AUTHORIZATION_FAILED'));
    await expect(ask()).rejects.toMatchObject({ code: 'GROUP_AUTHORIZATION_FAILED' });
  });
});
