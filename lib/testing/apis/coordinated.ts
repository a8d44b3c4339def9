import type { ErrorName } from '../../core/protocol/index.js';
import type { CoordinatorType } from '../cluster/coordinator-placement.js';
import type { RequestScope } from './served-api.js';

/** Whether the node that was asked coordinates the group or transactional id. */
export function coordinationProblem(scope: RequestScope, type: CoordinatorType, key: string): ErrorName {
  const coordinator = scope.coordinators.nodeOf(type, key);
  return coordinator?.id === scope.node.id ? 'NONE' : 'NOT_COORDINATOR';
}
