import { array, int16, string, defineApi } from '../schema/index.js';

/** The SaslHandshake API (protocol guide, key 17). */
export const SaslHandshake = defineApi({
  name: 'SaslHandshake',
  versions: '0-1',
  flexible: 'none',
  request: {
    mechanism: string('0+'),
  },
  response: {
    errorCode: int16('0+'),
    mechanisms: array('0+', string('0+')),
  },
});
