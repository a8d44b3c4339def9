import { array, int16, int32, string, defineApi } from '../schema/index.js';

/** Lists the reassignments under way (KIP-455). */
export const ListPartitionReassignments = defineApi({
  name: 'ListPartitionReassignments',
  versions: '0',
  flexible: '0+',
  request: {
    timeoutMs: int32('0+', { default: 60000 }),
    topics: array(
      '0+',
      {
        name: string('0+'),
        partitionIndexes: array('0+', int32('0+')),
      },
      { nullable: '0+', default: null },
    ),
  },
  response: {
    throttleTimeMs: int32('0+'),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        replicas: array('0+', int32('0+')),
        addingReplicas: array('0+', int32('0+')),
        removingReplicas: array('0+', int32('0+')),
      }),
    }),
  },
});
