import * as fc from 'fast-check';
import { headerName } from './header-names.js';
import { SHORT_TEXT, utf8Length, writeText } from './text.js';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 3 * SHORT_TEXT }),
  fc.string({ unit: fc.constantFrom('a', 'é', '✓', '😀', '\ud800', '\udc00'), maxLength: 3 * SHORT_TEXT }),
);

describe('text', () => {
  it('is written as the UTF-8 that Node makes of it, in as many bytes as foretold', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const expected = Buffer.from(text);
        expect(utf8Length(text)).toBe(expected.length);
        const buffer = Buffer.alloc(expected.length + 4, 0xee);
        expect(writeText(buffer, 2, text, expected.length)).toBe(2 + expected.length);
        expect(buffer.toString('hex')).toBe(`eeee${expected.toString('hex')}eeee`);
      }),
      { numRuns: 500 },
    );
  });

  it('with half a surrogate pair has the replacement character in its place', () => {
    const bytes = Buffer.alloc(5);
    expect(utf8Length('a\ud800b')).toBe(5);
    writeText(bytes, 0, 'a\ud800b', 5);
    expect(bytes.toString()).toBe('a\ufffdb');
  });

  it('that is short and taken to be ASCII is not written when it is something else', () => {
    expect(writeText(Buffer.alloc(10), 0, 'clé', 3)).toBe(-1);
    expect(writeText(Buffer.alloc(10), 0, 'key', 3)).toBe(3);
  });
});

describe('a header name', () => {
  it('is the same text however often, and after whatever others, it is read', () => {
    const names = fc.array(fc.oneof(anyText, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(names, (texts) => {
        for (const text of [...texts, ...texts]) {
          const bytes = Buffer.from(`<${text}>`);
          expect(headerName(bytes, 1, bytes.length - 1)).toBe(bytes.toString('utf8', 1, bytes.length - 1));
        }
      }),
    );
  });

  it('whose bytes are not ASCII is not mistaken for one of the same codes', () => {
    const latin = Buffer.from('caf\xe9', 'latin1');
    expect(headerName(Buffer.from('café'), 0, 5)).toBe('café');
    expect(headerName(latin, 0, 4)).toBe('caf\ufffd');
    expect(headerName(latin, 0, 4)).toBe('caf\ufffd');
    for (let code = 0x80; code < 0x100; code++) {
      const text = String.fromCharCode(code);
      expect(headerName(Buffer.from(text), 0, 2)).toBe(text);
      expect(headerName(Buffer.from([code]), 0, 1)).toBe('\ufffd');
    }
  });
});
