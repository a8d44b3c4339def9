import fc from 'fast-check';
import { ASSIGNORS, partitionKey, topicIdOf, type AssignmentProblem, type Assignor } from './assignors.js';

const assignor = (name: string): Assignor => {
  const found = ASSIGNORS[name];
  if (found === undefined) throw new Error(`there is no assignor ${name}`);
  return found;
};

const problem = (
  subscriptions: Readonly<Record<string, readonly string[]>>,
  topics: Readonly<Record<string, number>>,
  previous: AssignmentProblem['previous'] = new Map(),
): AssignmentProblem => ({
  subscriptions: new Map(Object.entries(subscriptions).map(([member, ids]) => [member, new Set(ids)])),
  topics: new Map(Object.entries(topics)),
  previous,
});

const asLists = (assignment: ReadonlyMap<string, ReadonlySet<string>>): Record<string, string[]> =>
  Object.fromEntries([...assignment].map(([member, keys]) => [member, [...keys].toSorted()]));

/** Subscriptions of up to six members to up to four topics, each of which somebody subscribes to. */
const problems = fc
  .record({
    topics: fc.array(fc.nat(8), { minLength: 1, maxLength: 4 }),
    members: fc.array(fc.array(fc.nat(3), { maxLength: 4 }), { minLength: 1, maxLength: 6 }),
  })
  .map(({ topics, members }) => {
    const known = topics.map((_count, index) => `t${index}`);
    const subscriptions = Object.fromEntries(
      members.map((wanted, index) => [`m${index}`, known.filter((_id, at) => wanted.includes(at))]),
    );
    const wanted = new Set(Object.values(subscriptions).flat());
    return problem(
      subscriptions,
      Object.fromEntries(topics.flatMap((count, index) => (wanted.has(`t${index}`) ? [[`t${index}`, count]] : []))),
    );
  });

describe.each(['uniform', 'range'])('the assignor %s', (name) => {
  const assign = assignor(name);

  it('gives every partition to one member that subscribes to its topic', () => {
    fc.assert(
      fc.property(problems, (given) => {
        const assignment = assign(given);
        const all = [...assignment.values()].flatMap((keys) => [...keys]);
        const wanted = [...given.topics].flatMap(([id, count]) =>
          Array.from({ length: count }, (_, partition) => partitionKey(id, partition)),
        );
        expect(all.toSorted()).toEqual(wanted.toSorted());
        for (const [member, keys] of assignment) {
          for (const key of keys) expect(given.subscriptions.get(member)).toContain(topicIdOf(key));
        }
        expect([...assignment.keys()]).toEqual([...given.subscriptions.keys()]);
      }),
    );
  });
});

describe('the assignor uniform', () => {
  const assign = assignor('uniform');

  it('leaves nobody two partitions short of another who could spare one', () => {
    fc.assert(
      fc.property(problems, (given) => {
        const assignment = assign(given);
        for (const many of assignment.values()) {
          for (const [member, few] of assignment) {
            const spare = [...many].some((key) => given.subscriptions.get(member)?.has(topicIdOf(key)));
            if (spare) expect(many.size - few.size).toBeLessThan(2);
          }
        }
      }),
    );
  });

  it('moves nothing when nothing has changed, and no more than it must when somebody comes', () => {
    const both = { a: ['t'], b: ['t'] };
    const first = assign(problem(both, { t: 6 }));
    expect(assign(problem(both, { t: 6 }, first))).toEqual(first);
    const second = assign(problem({ ...both, c: ['t'] }, { t: 6 }, first));
    const moved = [...(second.get('c') as Set<string>)];
    expect(moved).toHaveLength(2);
    for (const member of ['a', 'b']) {
      expect([...(first.get(member) as Set<string>)].filter((key) => !moved.includes(key))).toEqual([
        ...(second.get(member) as Set<string>),
      ]);
    }
  });
});

describe('the assignor range', () => {
  it('keeps neighbours together, and the same places of all topics with the same member', () => {
    const assignment = assignor('range')(problem({ b: ['t', 'u'], a: ['t', 'u'] }, { t: 5, u: 2 }));
    expect(asLists(assignment)).toEqual({
      a: ['t/0', 't/1', 't/2', 'u/0'],
      b: ['t/3', 't/4', 'u/1'],
    });
  });
});
