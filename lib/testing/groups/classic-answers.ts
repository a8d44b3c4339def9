import { ERROR_CODES, type ErrorName } from '../../core/protocol/index.js';
import { NO_BYTES, type JoinAnswer, type SyncAnswer } from './classic-member.js';

/** From this JoinGroup on no protocol is null; before, it is the empty string. */
const NULL_PROTOCOL_SINCE = 7;

/** The answer to a JoinGroup that failed. */
export const refusedJoin = (error: ErrorName, memberId: string, version: number): JoinAnswer => ({
  errorCode: ERROR_CODES[error],
  generationId: -1,
  protocolName: version >= NULL_PROTOCOL_SINCE ? null : '',
  leader: '',
  memberId,
  members: [],
});

/** The answer to a SyncGroup that failed. */
export const refusedSync = (error: ErrorName): SyncAnswer => ({ errorCode: ERROR_CODES[error], assignment: NO_BYTES });
