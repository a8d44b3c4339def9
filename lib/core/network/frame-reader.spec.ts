import * as fc from 'fast-check';
import { KrafkaConnectionError } from '../support/index.js';
import { FrameReader } from './frame-reader.js';

const MAX = 1_000_000;

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function collecting(maxFrameBytes = MAX): { reader: FrameReader; frames: Buffer[] } {
  const frames: Buffer[] = [];
  const reader = new FrameReader('b:9092', maxFrameBytes, { onFrame: (frame) => void frames.push(frame) });
  return { reader, frames };
}

/** Feeds bytes the way a plain socket does. */
function feed(reader: FrameReader, bytes: Buffer, pieces: readonly number[] = []): void {
  let piece = 0;
  for (let start = 0; start < bytes.length;) {
    const most = pieces.length === 0 ? bytes.length : (pieces[piece++ % pieces.length] as number);
    const count = bytes.copy(reader.space(), 0, start, Math.min(bytes.length, start + most));
    start += count;
    reader.filled(count);
  }
}

/** Frames around the sizes that matter, each with bytes that occur nowhere else at their place. */
const bodies = fc
  .array(fc.oneof(fc.integer({ min: 4, max: 64 }), fc.integer({ min: 15_000, max: 40_000 })), { maxLength: 8 })
  .map((lengths) =>
    lengths.map((length, frame) => Buffer.from(Uint8Array.from({ length }, (_, index) => index * 31 + frame * 7))),
  );
const cuts = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 });

describe('FrameReader', () => {
  it('gives back every frame whole and in order, however the bytes are cut', () => {
    fc.assert(
      fc.property(bodies, cuts, (whole, pieces) => {
        const { reader, frames } = collecting();
        feed(reader, Buffer.concat(whole.map(framed)), pieces);
        expect(frames).toHaveLength(whole.length);
        expect(frames.every((frame, index) => frame.equals(whole[index] as Buffer))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('does the same with chunks that come in buffers of their own', () => {
    fc.assert(
      fc.property(bodies, cuts, (whole, pieces) => {
        const bytes = Buffer.concat(whole.map(framed));
        const { reader, frames } = collecting();
        for (let start = 0, piece = 0; start < bytes.length; piece++) {
          const end = start + (pieces[piece % pieces.length] as number);
          reader.received(Buffer.from(bytes.subarray(start, end)));
          start = end;
        }
        expect(frames).toHaveLength(whole.length);
        expect(frames.every((frame, index) => frame.equals(whole[index] as Buffer))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("offers a long frame's own remainder as the space, and nothing beyond it", () => {
    const { reader, frames } = collecting();
    feed(reader, framed(Buffer.alloc(100_000, 7)).subarray(0, 10_000));
    const space = reader.space();
    expect(space.length).toBe(100_004 - 10_000);
    space.fill(7);
    reader.filled(space.length);
    expect(frames[0]?.buffer).toBe(space.buffer);
    expect(frames[0]?.equals(Buffer.alloc(100_000, 7))).toBe(true);
  });

  it('offers the same space until some of it is filled', () => {
    const { reader } = collecting();
    expect(reader.space()).toBe(reader.space());
  });

  it('gives frames that lie whole in a chunk as views of it', () => {
    const { reader, frames } = collecting();
    const chunk = framed(Buffer.from('some bytes'));
    reader.received(chunk);
    expect(frames[0]?.buffer).toBe(chunk.buffer);
  });

  it('never hands out the staging buffer, which the next read overwrites', () => {
    const { reader, frames } = collecting();
    feed(reader, framed(Buffer.from('first')));
    feed(reader, framed(Buffer.from('other')));
    expect(frames.map(String)).toEqual(['first', 'other']);
  });

  it.each([
    ['a negative length', -1],
    ['a length too short for a correlation id', 3],
    ['a length over the limit', MAX + 1],
  ])('refuses %s, and reads on no more', (_what, length) => {
    const { reader, frames } = collecting();
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(length);
    const refused = (): void => feed(reader, bytes);
    expect(refused).toThrow(KrafkaConnectionError);
    feed(reader, framed(Buffer.from('more')));
    expect(frames).toEqual([]);
  });

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n', /b:9092: .*HTTP/],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', /b:9092: .*SSH/],
    ['mail', '220 mail.example.org ESMTP\r\n', /b:9092: .*text/],
    ['a TLS alert', '\x15\x03\x03\x00\x02\x02\x46', /b:9092: .*TLS.*'tls'/],
    ['a TLS handshake', '\x16\x03\x01\x00\x02\x02\x46', /b:9092: .*TLS.*'tls'/],
  ])('knows a peer that speaks %s, and says so with its address', (_what, said, message) => {
    const { reader } = collecting();
    const refused = (): void => feed(reader, Buffer.from(said, 'latin1'));
    expect(refused).toThrow(
      expect.objectContaining({ code: 'NOT_KAFKA', retriable: false, message: expect.stringMatching(message) }),
    );
  });

  it('recognises such a peer even when its bytes come one by one', () => {
    const { reader } = collecting();
    expect(() => feed(reader, Buffer.from('HTTP/1.1'), [1])).toThrow(/HTTP/);
  });

  it('stops in the middle of a chunk when whoever takes the frames stops it', () => {
    const frames: Buffer[] = [];
    const reader = new FrameReader('b:9092', MAX, {
      onFrame: (frame) => {
        frames.push(frame);
        reader.stop();
      },
    });
    feed(reader, Buffer.concat([framed(Buffer.from('first')), framed(Buffer.from('second'))]));
    expect(frames.map(String)).toEqual(['first']);
  });
});
