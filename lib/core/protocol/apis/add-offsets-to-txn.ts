import { int16, int32, int64, string, defineApi } from '../schema/index.js';

/**
 * Tells a transaction's coordinator that offsets of a group will be committed in it (KIP-98), before TxnOffsetCommit.
 * Not needed any more with the lighter transactions of version 5 of that API (KIP-890).
 */
export const AddOffsetsToTxn = defineApi({
  name: 'AddOffsetsToTxn',
  versions: '0-4',
  flexible: '3+',
  request: {
    transactionalId: string('0+'),
    producerId: int64('0+'),
    producerEpoch: int16('0+'),
    groupId: string('0+'),
  },
  response: {
    throttleTimeMs: int32('0+'),
    errorCode: int16('0+'),
  },
});
