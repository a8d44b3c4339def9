import * as fc from 'fast-check';
import { keyOf, type TopicPartition } from '../topic-partition.js';
import type { GroupSubscription } from './assignor.js';
import { CooperativeStickyAssignor } from './cooperative-sticky-assignor.js';

const member = (memberId: string, topics: string[], owned: string[] = [], generation = 1): GroupSubscription => ({
  memberId,
  groupInstanceId: null,
  topics,
  ownedPartitions: owned.map((key) => {
    const [topic, partition] = key.split('/') as [string, string];
    return { topic, partition: Number(partition) };
  }),
  generation,
  rack: null,
  userData: null,
});

const keys = (partitions: readonly TopicPartition[] = []): string[] =>
  partitions.map(({ topic, partition }) => keyOf(topic, partition)).toSorted();

function assign(members: GroupSubscription[], counts: Record<string, number>): Record<string, string[]> {
  const assigned = new CooperativeStickyAssignor().assign(members, new Map(Object.entries(counts)));
  return Object.fromEntries([...assigned].map(([memberId, partitions]) => [memberId, keys(partitions)]));
}

describe('the cooperative-sticky assignor', () => {
  it('moves nothing when a member that held nothing leaves', () => {
    expect(assign([member('a', ['t'], ['t/1', 't/2']), member('b', ['t'], ['t/0'])], { t: 3 })).toEqual({
      a: ['t/1', 't/2'],
      b: ['t/0'],
    });
  });

  it('moves only what a newcomer must get', () => {
    const assigned = assign(
      [member('a', ['t'], ['t/0', 't/1', 't/2']), member('b', ['t'], ['t/3', 't/4', 't/5']), member('c', ['t'])],
      { t: 6 },
    );
    expect(assigned['a']).toHaveLength(2);
    expect(assigned['b']).toHaveLength(2);
    expect(['t/0', 't/1', 't/2']).toEqual(expect.arrayContaining(assigned['a'] as string[]));
    expect(['t/3', 't/4', 't/5']).toEqual(expect.arrayContaining(assigned['b'] as string[]));
  });

  it('takes from whoever has most, so that nobody gives more than it must', () => {
    const assigned = assign(
      [
        member('a', ['t'], ['t/0', 't/1', 't/2']),
        member('b', ['t'], ['t/3', 't/4', 't/5']),
        member('c', ['t'], ['t/6']),
        member('d', ['t']),
        member('e', ['t']),
        member('f', ['t'], ['t/7', 't/8']),
      ],
      { t: 9 },
    );
    expect(Object.values(assigned).map(({ length }) => length)).toEqual([2, 2, 1, 1, 1, 2]);
  });

  it('gives what nobody holds to whoever has least', () => {
    expect(assign([member('a', ['t'], ['t/0', 't/1']), member('b', ['t'])], { t: 4 })).toEqual({
      a: ['t/0', 't/1'],
      b: ['t/2', 't/3'],
    });
  });

  it('believes the newer generation of two claims, and of equal ones none', () => {
    const stale = member('a', ['t'], ['t/0'], 4);
    expect(assign([stale, member('b', ['t'], ['t/0'], 5)], { t: 1 })).toEqual({ a: [], b: ['t/0'] });
    expect(assign([stale, member('b', ['t'], ['t/0'], 4)], { t: 1 })).toEqual({ a: ['t/0'], b: [] });
  });

  it('reads the generation from where old members put it', () => {
    const assignor = new CooperativeStickyAssignor();
    assignor.onAssignment([], 7);
    const old: GroupSubscription = { ...member('b', ['t'], ['t/0'], -1), userData: assignor.userData() };
    expect(assign([member('a', ['t'], ['t/0'], 6), old], { t: 1 })).toEqual({ a: [], b: ['t/0'] });
  });

  it('takes no notice of claims to partitions that are gone, or not subscribed to any more', () => {
    expect(assign([member('a', ['t'], ['u/0', 't/9']), member('b', ['u'])], { t: 1, u: 1 })).toEqual({
      a: ['t/0'],
      b: ['u/0'],
    });
  });

  describe('whatever the members and what they held', () => {
    const topics = ['t', 'u', 'v'];
    const counts = fc.record({ t: fc.nat(9), u: fc.nat(9), v: fc.nat(9) });
    const group = (same: boolean) =>
      fc
        .tuple(
          counts,
          fc.array(fc.subarray(topics, { minLength: 1 }), { minLength: 1, maxLength: 6 }),
          fc.infiniteStream(fc.nat(6)),
        )
        .map(([partitions, subscriptions, holders]) => {
          const owned = subscriptions.map((): string[] => []);
          for (const [topic, count] of Object.entries(partitions)) {
            for (let partition = 0; partition < count; partition++) {
              const holder = holders.next().value;
              owned[holder]?.push(keyOf(topic, partition));
            }
          }
          const members = subscriptions.map((own, index) =>
            member(`m${index}`, same ? (subscriptions[0] as string[]) : own, owned[index]),
          );
          return { partitions, members };
        });

    it('gives every partition that is subscribed to exactly once, to a subscriber', () => {
      fc.assert(
        fc.property(group(false), ({ partitions, members }) => {
          const assigned = assign(members, partitions);
          const wanted = Object.entries(partitions)
            .filter(([topic]) => members.some((one) => one.topics.includes(topic)))
            .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => keyOf(topic, partition)));
          expect(Object.values(assigned).flat().toSorted()).toEqual(wanted.toSorted());
          for (const { memberId, topics: own } of members) {
            for (const key of assigned[memberId] as string[]) expect(own).toContain(key.split('/')[0]);
          }
        }),
      );
    });

    it('leaves nobody with two more than somebody who could read one of them', () => {
      fc.assert(
        fc.property(group(false), ({ partitions, members }) => {
          const assigned = assign(members, partitions);
          for (const { memberId } of members) {
            const own = assigned[memberId] as string[];
            for (const key of own) {
              const topic = key.split('/')[0] as string;
              for (const other of members.filter((one) => one.topics.includes(topic))) {
                expect(own.length - (assigned[other.memberId] as string[]).length).toBeLessThan(2);
              }
            }
          }
        }),
      );
    });

    it('moves no more than balance asks for, where all subscribe to the same', () => {
      fc.assert(
        fc.property(group(true), ({ partitions, members }) => {
          const assigned = assign(members, partitions);
          const subscribed = new Set(members[0]?.topics);
          const held = members.map(({ ownedPartitions }) =>
            keys(ownedPartitions ?? []).filter((key) => subscribed.has(key.split('/')[0] as string)),
          );
          const total = Object.values(assigned).flat().length;
          const each = Math.floor(total / members.length);
          const withOneMore = total % members.length;
          const least = held
            .map(({ length }) => length)
            .toSorted((a, b) => b - a)
            .reduce((sum, length, index) => sum + Math.max(0, length - each - (index < withOneMore ? 1 : 0)), 0);
          const moved = members.reduce(
            (sum, { memberId }, index) =>
              sum + (held[index] as string[]).filter((key) => !(assigned[memberId] as string[]).includes(key)).length,
            0,
          );
          expect(moved).toBe(least);
        }),
        { numRuns: 500 },
      );
    });
  });
});
