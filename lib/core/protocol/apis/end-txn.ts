import { bool, int16, int32, int64, string, defineApi } from '../schema/index.js';

/**
 * Commits or aborts a transaction (KIP-98). From version 5 the answer brings the epoch of the next one: the epoch is
 * raised with every transaction (KIP-890).
 */
export const EndTxn = defineApi({
  name: 'EndTxn',
  versions: '0-5',
  flexible: '3+',
  request: {
    transactionalId: string('0+'),
    producerId: int64('0+'),
    producerEpoch: int16('0+'),
    committed: bool('0+'),
  },
  response: {
    throttleTimeMs: int32('0+'),
    errorCode: int16('0+'),
    producerId: int64('5+', { default: -1, ignorable: true }),
    producerEpoch: int16('5+', { default: -1, ignorable: true }),
  },
});
