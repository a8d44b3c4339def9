import { ERROR_CODES, InitProducerId } from '../../core/protocol/index.js';
import { serve, type ServedApi } from './served-api.js';

export const initProducerId: readonly ServedApi[] = [
  serve(
    InitProducerId,
    [0, 5],
    (request, { producerIds }) => {
      // Whatever id an idempotent producer had, it gets a new one.
      if (request.transactionalId === null) {
        return { throttleTimeMs: 0, errorCode: ERROR_CODES.NONE, producerId: producerIds.next(), producerEpoch: 0 };
      }
      return { throttleTimeMs: 0, errorCode: ERROR_CODES.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, producerEpoch: -1 };
    },
    (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, producerEpoch: -1 }),
  ),
];
