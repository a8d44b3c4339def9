import * as fc from 'fast-check';
import { crc32c, crc32cByTable } from './crc32c.js';

describe('crc32c', () => {
  // RFC 3720, appendix B.4.
  it.each([
    ['thirty-two zeros', Buffer.alloc(32), 0x8a91_36aa],
    ['thirty-two ones', Buffer.alloc(32, 0xff), 0x62a8_ab43],
    ['ascending bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd_794e],
    ['descending bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113f_db5c],
    ['nine digits', Buffer.from('123456789'), 0xe306_9283],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s is what the standard says', (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
    expect(crc32cByTable(bytes, 0, bytes.length)).toBe(expected);
  });

  it('is the same by the table and by the native module, at every size around where they part', () => {
    const bytes = Buffer.from(Array.from({ length: 1200 }, (_, index) => (index * 31 + 7) & 0xff));
    for (let size = 0; size < 600; size++) {
      expect(crc32c(bytes, 3, 3 + size)).toBe(crc32cByTable(bytes, 3, 3 + size));
    }
  });

  it('goes on over large pieces as if they were one', () => {
    const pieces = [1_000, 3, 300, 50_000].map((size, index) => Buffer.alloc(size, index + 1));
    let crc = 0;
    for (const piece of pieces) crc = crc32c(piece, 0, piece.length, crc);
    expect(crc).toBe(crc32c(Buffer.concat(pieces)));
    const whole = Buffer.concat(pieces);
    expect(crc32c(whole, 700, whole.length, crc32c(whole, 0, 700))).toBe(crc);
  });

  it('goes on over pieces as if they were one', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 5 }), (pieces) => {
        let crc = 0;
        for (const piece of pieces) crc = crc32c(Buffer.from(piece), 0, piece.length, crc);
        expect(crc).toBe(crc32c(Buffer.concat(pieces)));
      }),
    );
  });
});
