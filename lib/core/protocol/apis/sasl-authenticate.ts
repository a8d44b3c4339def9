import { bytes, int16, int64, string, defineApi } from '../schema/index.js';

/** Carries the bytes of a SASL exchange (KIP-152), from version 1 with the lifetime of the session (KIP-368). */
export const SaslAuthenticate = defineApi({
  name: 'SaslAuthenticate',
  versions: '0-2',
  flexible: '2+',
  request: {
    authBytes: bytes('0+'),
  },
  response: {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    authBytes: bytes('0+'),
    sessionLifetimeMs: int64('1+', { ignorable: true }),
  },
});
