import type { GroupHealth, HandlerAtWork } from '../server/group-worker.js';
import type { KrafkaServer } from '../server/krafka-server.js';

/** What a health check says of one group. */
export interface GroupFacts {
  readonly state: GroupHealth['state'];
  readonly partitions: number;
  /** How many records it is behind; where `maxLag` is asked for. */
  readonly lag?: number | undefined;
  /**
   * Handlers that are stuck: topic[partition] and for how long. They are those of the consumer's `stats().stuck`; where the check
   * itself is given a `stuckAfterMs`, those that take longer than that.
   */
  readonly stuck?: readonly string[] | undefined;
}

/** The groups of a server. */
export interface GroupsHealth {
  readonly facts: Readonly<Record<string, GroupFacts>>;
  /** What can't go on by itself, when something can't: a restart of the process helps. */
  readonly dead: string | undefined;
  /** What is not as it should be, when something isn't; what is dead included. */
  readonly problem: string | undefined;
  /** What is not there yet, when something isn't. */
  readonly notReady: string | undefined;
}

/** What of the groups is asked for. */
export interface GroupBounds {
  readonly maxLag: number | undefined;
  readonly stuckAfterMs: number | undefined;
}

const NO_GROUPS: GroupsHealth = { facts: {}, dead: undefined, problem: undefined, notReady: undefined };

/** Looks at every group of a server, where there is one and it has been connected. */
export function lookAtGroups(server: KrafkaServer | undefined, bounds: GroupBounds): GroupsHealth {
  if (server === undefined || server.state === 'idle') return NO_GROUPS;
  const groups = [...server.groups];
  const dead = first(groups, deadOf) ?? first(groups, (id, group) => stuckProblem(id, group, bounds));
  const unready = groups.find(([, { state }]) => state !== 'stable');
  return {
    facts: Object.fromEntries(groups.map(([id, group]) => [id, factsOf(group, bounds)])),
    dead,
    problem: dead ?? first(groups, restartingOf) ?? first(groups, (id, group) => lagProblem(id, group, bounds)),
    notReady:
      server.state === 'listening'
        ? unready && `group '${unready[0]}' is ${unready[1].state}`
        : `the server is ${server.state}`,
  };
}

type Problem = (id: string, group: GroupHealth) => string | undefined;

function first(groups: readonly (readonly [string, GroupHealth])[], problem: Problem): string | undefined {
  for (const [id, group] of groups) {
    const found = problem(id, group);
    if (found !== undefined) return found;
  }
  return undefined;
}

const deadOf: Problem = (id, { state, error }) =>
  state === 'fatal' ? `the consumer of group '${id}' can't go on: ${error?.message ?? 'unknown'}` : undefined;

const restartingOf: Problem = (id, { state, error }) =>
  state === 'restarting' ? `the consumer of group '${id}' is started again: ${error?.message ?? 'unknown'}` : undefined;

function lagProblem(id: string, { lag }: GroupHealth, { maxLag }: GroupBounds): string | undefined {
  if (maxLag === undefined || lag === undefined || lag <= maxLag) return undefined;
  return `group '${id}' is ${lag} records behind, more than the ${maxLag} allowed`;
}

function stuckProblem(id: string, group: GroupHealth, { stuckAfterMs }: GroupBounds): string | undefined {
  if (stuckAfterMs === undefined) return undefined;
  const [worst] = stuckIn(group, stuckAfterMs);
  return worst === undefined ? undefined : `a handler of group '${id}' is stuck: ${describe(worst)}`;
}

/** By the bound of the check, or where it has none, by that of the consumer; the worst first. */
const stuckIn = ({ atWork, stuck }: GroupHealth, afterMs: number | undefined): readonly HandlerAtWork[] =>
  (afterMs === undefined ? stuck : atWork.filter(({ handlingMs }) => handlingMs > afterMs)).toSorted(
    (one, other) => other.handlingMs - one.handlingMs,
  );

const describe = ({ topic, partition, handlingMs }: HandlerAtWork): string =>
  `${topic}[${partition}] for ${Math.round(handlingMs)} ms`;

function factsOf(group: GroupHealth, { maxLag, stuckAfterMs }: GroupBounds): GroupFacts {
  const { state, partitions, lag } = group;
  const stuck = stuckIn(group, stuckAfterMs).map(describe);
  return {
    state,
    partitions,
    ...(maxLag === undefined ? {} : { lag }),
    ...(stuck.length === 0 ? {} : { stuck }),
  };
}
