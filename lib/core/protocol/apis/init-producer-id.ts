import { bool, int16, int32, int64, string, defineApi } from '../schema/index.js';

/**
 * Gives a producer its id and epoch; one with a transactional id fences its predecessors and ends their transaction
 * (KIP-98). From version 3 a producer may raise its own epoch (KIP-360). Version 6, two-phase commit (KIP-939), brokers
 * of 4.3 offer only when they are told to offer unstable versions.
 */
export const InitProducerId = defineApi({
  name: 'InitProducerId',
  versions: '0-6',
  flexible: '2+',
  request: {
    transactionalId: string('0+', { nullable: '0+' }),
    transactionTimeoutMs: int32('0+'),
    producerId: int64('3+', { default: -1 }),
    producerEpoch: int16('3+', { default: -1 }),
    enable2Pc: bool('6+'),
    keepPreparedTxn: bool('6+'),
  },
  response: {
    throttleTimeMs: int32('0+', { ignorable: true }),
    errorCode: int16('0+'),
    producerId: int64('0+', { default: -1 }),
    producerEpoch: int16('0+'),
    ongoingTxnProducerId: int64('6+', { default: -1 }),
    ongoingTxnProducerEpoch: int16('6+', { default: -1 }),
  },
});
