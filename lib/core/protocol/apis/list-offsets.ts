import { array, int16, int32, int64, int8, string, defineApi } from '../schema/index.js';

/**
 * Finds offsets by timestamp, or the earliest and latest ones (KIP-79). Version 2 knows read_committed (KIP-98), 4
 * fences by leader epoch (KIP-320), 7 finds the greatest timestamp (KIP-734), 8 to 11 know tiered storage (KIP-405,
 * KIP-1005, KIP-1075, KIP-1023).
 */
export const ListOffsets = defineApi({
  name: 'ListOffsets',
  versions: '1-11',
  flexible: '6+',
  request: {
    replicaId: int32('0+'),
    isolationLevel: int8('2+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        currentLeaderEpoch: int32('4+', { default: -1, ignorable: true }),
        timestamp: int64('0+'),
      }),
    }),
    timeoutMs: int32('10+', { ignorable: true }),
  },
  response: {
    throttleTimeMs: int32('2+', { ignorable: true }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
        timestamp: int64('1+', { default: -1 }),
        offset: int64('1+', { default: -1 }),
        leaderEpoch: int32('4+', { default: -1 }),
      }),
    }),
  },
});
