import fc from 'fast-check';
import { FrameSplitter } from './frame-splitter.js';

const framed = (body: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length, 0);
  return Buffer.concat([length, body]);
};

describe('FrameSplitter', () => {
  it('finds the same frames however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map(framed));
          const splitter = new FrameSplitter(100);
          const found: Buffer[] = [];
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const size = cuts[turn % cuts.length] ?? 1;
            splitter.push(stream.subarray(at, at + size));
            at += size;
            for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) found.push(frame);
          }
          expect(found).toEqual(bodies.map((body) => Buffer.from(body)));
          expect(splitter.waitingBytes).toBe(0);
        },
      ),
    );
  });

  it.each([-1, 101])('refuses a frame of %i bytes before it has come', (length) => {
    const splitter = new FrameSplitter(100);
    const claim = Buffer.alloc(4);
    claim.writeInt32BE(length, 0);
    splitter.push(claim);
    expect(() => splitter.next()).toThrow(/a frame of/);
  });
});
