import type { CompressionCodec } from '../../protocol/index.js';

/** A codec in the place of lz4 that copies what it is given, but for what a spec has it do. */
export const fakeCodec = (own: Partial<Pick<CompressionCodec, 'compress' | 'decompress'>>): CompressionCodec => ({
  name: 'lz4',
  id: 3,
  compress: (records) => Buffer.from(records),
  decompress: (bytes) => bytes,
  ...own,
});
