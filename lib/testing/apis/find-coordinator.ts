import { ERROR_CODES, FindCoordinator, type AnswerOf } from '../../core/protocol/index.js';
import type { CoordinatorType } from '../cluster/coordinator-placement.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type Coordinator = NonNullable<AnswerOf<typeof FindCoordinator>['coordinators']>[number];

const TYPES: readonly CoordinatorType[] = ['group', 'transaction'];
/** Share groups' own type, which is known and not served. */
const SHARE = 2;
const BATCHED_SINCE = 4;
/** Kafka's own words for INVALID_REQUEST. */
const MALFORMED =
  'This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.';

function lookUp(key: string, keyType: number, { coordinators, version }: RequestScope): Coordinator {
  const type = TYPES[keyType];
  if (type === undefined) {
    const isShare = keyType === SHARE && version >= BATCHED_SINCE;
    return nobody(key, ERROR_CODES.INVALID_REQUEST, isShare ? '' : MALFORMED);
  }
  const node = coordinators.nodeOf(type, key);
  if (node === undefined) return nobody(key, ERROR_CODES.COORDINATOR_NOT_AVAILABLE);
  return { key, nodeId: node.id, host: node.host, port: node.port, errorCode: ERROR_CODES.NONE, errorMessage: '' };
}

const nobody = (key: string, errorCode: number, errorMessage = ''): Coordinator => ({
  key,
  nodeId: -1,
  host: '',
  port: -1,
  errorCode,
  errorMessage,
});

/** One coordinator in the form of the version: a field each up to 3, a list from 4 on. */
function answer(coordinators: readonly Coordinator[], version: number): AnswerOf<typeof FindCoordinator> {
  if (version >= BATCHED_SINCE) return { coordinators };
  const { nodeId, host, port, errorCode, errorMessage } = coordinators[0] as Coordinator;
  return { nodeId, host, port, errorCode, errorMessage: errorCode === 0 ? 'NONE' : errorMessage };
}

export const findCoordinator: readonly ServedApi[] = [
  serve(
    FindCoordinator,
    [0, 6],
    (request, scope) => {
      const keys = scope.version >= BATCHED_SINCE ? request.coordinatorKeys : [request.key];
      return answer(
        keys.map((key) => lookUp(key, request.keyType, scope)),
        scope.version,
      );
    },
    (request, error, { version }) =>
      answer(
        (version >= BATCHED_SINCE ? request.coordinatorKeys : [request.key]).map((key) => nobody(key, error)),
        version,
      ),
  ),
];
