import { array, int16, int32, string, defineApi } from '../schema/index.js';

/** Lists the groups that a broker coordinates, from version 4 by state (KIP-518), from 5 by type (KIP-848). */
export const ListGroups = defineApi({
  name: 'ListGroups',
  versions: '0-5',
  flexible: '3+',
  request: {
    statesFilter: array('4+', string('0+')),
    typesFilter: array('5+', string('0+')),
  },
  response: {
    throttleTimeMs: int32('1+', { ignorable: true }),
    errorCode: int16('0+'),
    groups: array('0+', {
      groupId: string('0+'),
      protocolType: string('0+'),
      groupState: string('4+', { ignorable: true }),
      groupType: string('5+', { ignorable: true }),
    }),
  },
});
