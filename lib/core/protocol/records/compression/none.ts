import type { CompressionCodec } from './codec.js';
import { decompressionLimit } from './compression-errors.js';

/** Leaves the records as they are. */
export const noneCodec: CompressionCodec = {
  name: 'none',
  id: 0,
  compress: (records) => records,
  decompress(records, maxBytes) {
    if (records.length > maxBytes) throw decompressionLimit('none', maxBytes, records.length);
    return records;
  },
};
