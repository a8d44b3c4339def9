import type { Assignor, AssignorName } from './assignor.js';
import { CooperativeStickyAssignor } from './cooperative-sticky-assignor.js';
import { rangeAssignor } from './range-assignor.js';
import { roundRobinAssignor } from './round-robin-assignor.js';

const BUILT_IN: Readonly<Record<AssignorName, () => Assignor>> = {
  range: () => rangeAssignor,
  roundrobin: () => roundRobinAssignor,
  // It remembers its generation, so each member has its own.
  'cooperative-sticky': () => new CooperativeStickyAssignor(),
};

/** The assignors by these names, or as they were given. */
export const assignorsOf = (given: readonly (AssignorName | Assignor)[]): readonly Assignor[] =>
  given.map((one) => (typeof one === 'string' ? BUILT_IN[one]() : one));
