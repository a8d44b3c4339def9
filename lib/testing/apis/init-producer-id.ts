import { ERROR_CODES, InitProducerId, type ErrorName } from '../../core/protocol/index.js';
import { NO_PRODUCER } from '../transactions/transaction.js';
import { coordinationProblem } from './coordinated.js';
import { serve, type ServedApi } from './served-api.js';

/** Clients before KIP-588 do not know PRODUCER_FENCED. */
const FENCED_SINCE = 4;

export const initProducerId: readonly ServedApi[] = [
  serve(
    InitProducerId,
    [0, 5],
    (request, scope) => {
      const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request;
      const { transactions, version } = scope;
      // Whatever id a producer without transactions had, it gets a new one.
      if (transactionalId === null) {
        return { throttleTimeMs: 0, errorCode: ERROR_CODES.NONE, ...transactions.newProducer() };
      }
      const moved = coordinationProblem(scope, 'transaction', transactionalId);
      const { error, ...identity } =
        moved === 'NONE'
          ? transactions.initialize(transactionalId, transactionTimeoutMs, { producerId, producerEpoch })
          : { error: moved, ...NO_PRODUCER };
      const named: ErrorName = error === 'PRODUCER_FENCED' && version < FENCED_SINCE ? 'INVALID_PRODUCER_EPOCH' : error;
      return { throttleTimeMs: 0, errorCode: ERROR_CODES[named], ...identity };
    },
    (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, ...NO_PRODUCER }),
  ),
];
