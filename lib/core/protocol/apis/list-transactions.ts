import { array, int16, int32, int64, string, defineApi } from '../schema/index.js';

/**
 * Lists the transactions that a broker coordinates (KIP-664), from version 1 those open for long (KIP-994), from 2 by a
 * pattern of their ids (KIP-1152).
 */
export const ListTransactions = defineApi({
  name: 'ListTransactions',
  versions: '0-2',
  flexible: '0+',
  request: {
    stateFilters: array('0+', string('0+')),
    producerIdFilters: array('0+', int64('0+')),
    durationFilter: int64('1+', { default: -1 }),
    transactionalIdPattern: string('2+', { nullable: '2+', default: null }),
  },
  response: {
    throttleTimeMs: int32('0+'),
    errorCode: int16('0+'),
    unknownStateFilters: array('0+', string('0+')),
    transactionStates: array('0+', {
      transactionalId: string('0+'),
      producerId: int64('0+'),
      transactionState: string('0+'),
    }),
  },
});
