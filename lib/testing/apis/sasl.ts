import { ERROR_CODES, SaslAuthenticate, SaslHandshake } from '../../core/protocol/index.js';
import { serve, type ServedApi } from './served-api.js';

const nothing = Buffer.alloc(0);

/** The SASL APIs where nobody has to authenticate: with SASL the connection's gate answers them. */
export const saslApis: readonly ServedApi[] = [
  serve(
    SaslHandshake,
    [0, 1],
    () => ({ errorCode: ERROR_CODES.ILLEGAL_SASL_STATE, mechanisms: [] }),
    (_request, errorCode) => ({ errorCode, mechanisms: [] }),
  ),
  serve(
    SaslAuthenticate,
    [0, 2],
    () => ({
      errorCode: ERROR_CODES.ILLEGAL_SASL_STATE,
      errorMessage: 'SaslAuthenticate request received after successful authentication',
      authBytes: nothing,
    }),
    (_request, errorCode) => ({ errorCode, errorMessage: null, authBytes: nothing }),
  ),
];
