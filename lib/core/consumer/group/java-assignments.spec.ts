import { readFileSync } from 'node:fs';
import { keyOf, sorted } from '../topic-partition.js';
import type { Assignor, GroupSubscription } from './assignor.js';
import { rangeAssignor } from './range-assignor.js';
import { roundRobinAssignor } from './round-robin-assignor.js';

interface JavaCase {
  readonly partitions: Record<string, number>;
  readonly members: Pick<GroupSubscription, 'memberId' | 'groupInstanceId' | 'topics'>[];
  readonly range: Record<string, string[]>;
  readonly roundrobin: Record<string, string[]>;
}

const cases = JSON.parse(
  readFileSync(new URL('../spec-support/java-assignments.json', import.meta.url), 'utf8'),
) as JavaCase[];

const REST = { ownedPartitions: null, generation: -1, rack: null, userData: null };

describe.each([rangeAssignor, roundRobinAssignor])('the $name assignor', (assignor: Assignor) => {
  it(`gives ${cases.length} random groups what the Java client gives them, static members included`, () => {
    expect(cases.length).toBeGreaterThan(50);
    for (const { partitions, members, ...expected } of cases) {
      const assigned = assignor.assign(
        members.map((member) => ({ ...member, ...REST })),
        new Map(Object.entries(partitions)),
      );
      const named = [...assigned].map(([memberId, items]) => [
        memberId,
        sorted(items).map(({ topic, partition }) => keyOf(topic, partition)),
      ]);
      expect(Object.fromEntries(named)).toEqual(expected[assignor.name as 'range' | 'roundrobin']);
    }
  });

  it('gives every partition to exactly one member', () => {
    for (const { partitions, members } of cases) {
      const assigned = assignor.assign(
        members.map((member) => ({ ...member, ...REST })),
        new Map(Object.entries(partitions)),
      );
      const wanted = Object.entries(partitions)
        .filter(([topic]) => members.some(({ topics }) => topics.includes(topic)))
        .flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => keyOf(topic, partition)));
      const given = [...assigned.values()].flat().map(({ topic, partition }) => keyOf(topic, partition));
      expect(given.toSorted()).toEqual(wanted.toSorted());
    }
  });
});
