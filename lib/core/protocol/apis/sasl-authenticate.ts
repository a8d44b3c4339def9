import { bytes, int16, int64, string, defineApi } from '../schema/index.js';

/** The SaslAuthenticate API (protocol guide, key 36). */
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
