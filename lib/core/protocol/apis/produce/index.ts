import { defineApi } from '../../schema/index.js';
import { readProduceResponse } from './read-response.js';
import { request, response } from './tables.js';
import { writeProduceRequest } from './write-request.js';

/**
 * Appends record batches to partitions. Version 3 is the first with the batches written here (KIP-98), 8 tells which
 * records were refused (KIP-467), 10 the new leader (KIP-951), 12 begins the lighter transactions (KIP-890), and 13
 * names topics by id (KIP-516).
 */
export const Produce = defineApi({
  name: 'Produce',
  versions: '3-13',
  flexible: '9+',
  request,
  response,
  requestCodec: { encode: writeProduceRequest },
  responseCodec: { decode: readProduceResponse },
});
