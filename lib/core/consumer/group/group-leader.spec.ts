import { keyOf, type TopicPartition } from '../topic-partition.js';
import type { Assignor, GroupSubscription } from './assignor.js';
import { encodeSubscription } from './consumer-protocol.js';
import { GroupLeader, type LedGroup } from './group-leader.js';

const t = (...partitions: number[]): TopicPartition[] => partitions.map((partition) => ({ topic: 't', partition }));

/** An assignor that gives what the spec says. */
const giving = (
  given: Record<string, TopicPartition[]>,
  rebalanceProtocol: 'eager' | 'cooperative' = 'eager',
): Assignor => ({
  name: 'mine',
  rebalanceProtocol,
  assign: () => new Map(Object.entries(given)),
});

const group = (owned: Record<string, TopicPartition[]>, changes: Partial<LedGroup> = {}): LedGroup => ({
  protocolName: 'mine',
  skipAssignment: false,
  members: Object.entries(owned).map(([memberId, ownedPartitions]) => ({
    memberId,
    groupInstanceId: null,
    metadata: encodeSubscription({ topics: ['t'], userData: null, ownedPartitions, generation: 1, rack: null }),
  })),
  ...changes,
});

function leaderWith(assignor: Assignor, counts: Record<string, number> = { t: 4 }) {
  let pinned = 0;
  const cluster = {
    get metadata() {
      return {
        topics: new Map(
          Object.entries(counts).map(([name, length]) => [name, { partitions: Array.from({ length }) }] as const),
        ),
      } as never;
    },
    refresh: () => Promise.resolve(undefined as never),
    track: () => {
      pinned++;
      return () => void pinned--;
    },
  };
  const leader = new GroupLeader(cluster, [assignor]);
  return { leader, counts, pins: () => pinned };
}

const result = async (leader: GroupLeader, led: LedGroup): Promise<Record<string, string[]>> =>
  Object.fromEntries(
    (await leader.assign(led)).map(({ memberId, partitions }) => [
      memberId,
      partitions.map(({ topic, partition }) => keyOf(topic, partition)),
    ]),
  );

describe('GroupLeader', () => {
  it('has the assignor that the group chose assign', async () => {
    const { leader } = leaderWith(giving({ a: t(0, 1), b: t(2, 3) }));
    expect(await result(leader, group({ a: [], b: [] }))).toEqual({ a: ['t/0', 't/1'], b: ['t/2', 't/3'] });
  });

  it('shows the assignor what members hold, and how many partitions there are', async () => {
    let seen: readonly GroupSubscription[] = [];
    let counts: [string, number][] = [];
    const { leader } = leaderWith({
      ...giving({}),
      assign: (members, partitions) => {
        seen = members;
        counts = [...partitions];
        return new Map();
      },
    });
    expect(await result(leader, group({ a: t(1), b: [] }))).toEqual({ a: [], b: [] });
    expect(seen.map(({ memberId, ownedPartitions }) => [memberId, ownedPartitions])).toEqual([
      ['a', t(1)],
      ['b', []],
    ]);
    expect(counts).toEqual([['t', 4]]);
  });

  it('in a cooperative group withholds for one generation what another member still holds', async () => {
    const { leader } = leaderWith(giving({ a: t(0, 1), b: t(2, 3) }, 'cooperative'));
    expect(await result(leader, group({ a: t(0, 1, 2), b: t(3) }))).toEqual({ a: ['t/0', 't/1'], b: ['t/3'] });
    expect(await result(leader, group({ a: t(0, 1), b: t(3) }))).toEqual({ a: ['t/0', 't/1'], b: ['t/2', 't/3'] });
  });

  it('withholds nothing from who holds it, whatever another claims', async () => {
    const { leader } = leaderWith(giving({ a: t(0), b: [] }, 'cooperative'));
    expect(await result(leader, group({ b: t(0), a: t(0) }))).toEqual({ a: ['t/0'], b: [] });
    expect(await result(leader, group({ a: t(0), b: t(0) }))).toEqual({ a: ['t/0'], b: [] });
  });

  it.each([
    ['to two members', { a: t(0), b: t(0) }, /gave t\/0 to 'a' and to 'b'/],
    ['to nobody of the group', { c: t(0) }, /'c', which is no member/],
    ['of a topic that was not subscribed to', { a: [{ topic: 'u', partition: 0 }] }, /does not subscribe/],
  ])('refuses what an assignor gives %s', async (_, given, problem) => {
    const { leader } = leaderWith(giving(given));
    await expect(leader.assign(group({ a: [], b: [] }))).rejects.toThrow(problem);
  });

  it('says so when the group has chosen what it does not know', async () => {
    const { leader } = leaderWith(giving({}));
    await expect(leader.assign(group({ a: [] }, { protocolName: 'theirs' }))).rejects.toMatchObject({
      code: 'INCONSISTENT_GROUP_PROTOCOL',
    });
  });

  it('leaves the assignment as it stands where the coordinator asks for that, and watches all the same (KIP-814)', async () => {
    const { leader, counts } = leaderWith(giving({ a: t(0) }));
    expect(await leader.assign(group({ a: [] }, { skipAssignment: true }))).toEqual([]);
    counts['t'] = 5;
    expect(leader.changed()).toContain("topic 't' has 5 partitions now, it had 4");
  });

  it('notices a topic that comes, goes or grows, and nothing else', async () => {
    const { leader, counts } = leaderWith(giving({}));
    expect(leader.changed()).toBeUndefined();
    await leader.assign(group({ a: [] }));
    counts['u'] = 3;
    expect(leader.changed()).toBeUndefined();
    delete counts['t'];
    expect(leader.changed()).toContain("topic 't' has 0 partitions now, it had 4");
  });

  it('holds on to the topics while it leads, and no longer', async () => {
    const { leader, pins } = leaderWith(giving({}));
    await leader.assign(group({ a: [] }));
    await leader.assign(group({ a: [] }));
    expect(pins()).toBe(1);
    leader.resign();
    expect(pins()).toBe(0);
    expect(leader.changed()).toBeUndefined();
  });
});
