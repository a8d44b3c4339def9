import { array, int16, int32, string, defineApi } from '../schema/index.js';

/** The ListGroups API (protocol guide, key 16). */
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
