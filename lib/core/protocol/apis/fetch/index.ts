import { defineApi } from '../../schema/index.js';
import { readFetchResponse } from './read-response.js';
import { request, response } from './tables.js';
import { writeFetchRequest } from './write-request.js';

/**
 * Asks a leader (or, KIP-392, a nearer replica) for record batches, waiting for some. Version 4 is the first with
 * transactions (KIP-98), 7 has incremental sessions (KIP-227), 9 fences by leader epoch (KIP-320), 11 tells the rack,
 * 12 finds truncation in the answer, 13 names topics by id (KIP-516), 16 tells the new leader's address (KIP-951).
 */
export const Fetch = defineApi({
  name: 'Fetch',
  versions: '4-18',
  flexible: '12+',
  request,
  response,
  requestCodec: { encode: writeFetchRequest },
  responseCodec: { decode: readFetchResponse },
});
