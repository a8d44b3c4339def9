import { array, int16, string, defineApi } from '../schema/index.js';

/**
 * Names the SASL mechanism that follows (KIP-43); after version 1 the exchange goes on in SaslAuthenticate (KIP-152).
 */
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
