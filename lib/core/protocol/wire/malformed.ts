import { KrafkaProtocolError } from '../../support/index.js';

/** The bytes break the protocol: whoever sent them is not to be read any further. */
export function malformed(problem: string): KrafkaProtocolError {
  return new KrafkaProtocolError('MALFORMED', problem);
}
