import type { GroupHealth } from '../server/group-worker.js';
import type { KrafkaServer } from '../server/krafka-server.js';

/** The groups of a server. */
export interface GroupsHealth {
  readonly facts: Readonly<Record<string, { readonly state: GroupHealth['state']; readonly partitions: number }>>;
  /** What can't go on, when something can't. */
  readonly problem: string | undefined;
  /** What is not there yet, when something isn't. */
  readonly notReady: string | undefined;
}

const NO_GROUPS: GroupsHealth = { facts: {}, problem: undefined, notReady: undefined };

/** Looks at every group of a server, where there is one and it has been connected. */
export function lookAtGroups(server: KrafkaServer | undefined): GroupsHealth {
  if (server === undefined || server.state === 'idle') return NO_GROUPS;
  const groups = [...server.groups];
  const fatal = groups.find(([, { state }]) => state === 'fatal');
  const unready = groups.find(([, { state }]) => state !== 'stable');
  return {
    facts: Object.fromEntries(groups.map(([id, { state, partitions }]) => [id, { state, partitions }])),
    problem: fatal && `the consumer of group '${fatal[0]}' can't go on: ${fatal[1].error?.message ?? 'unknown'}`,
    notReady:
      server.state === 'listening'
        ? unready && `group '${unready[0]}' is ${unready[1].state}`
        : `the server is ${server.state}`,
  };
}
