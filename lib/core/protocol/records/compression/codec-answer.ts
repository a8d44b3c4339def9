import { describe } from '../../../support/index.js';

/** What a codec answered with, as a Buffer; a TypeError when it is no bytes at all, which one of a user's own may answer with. */
export function bytesAnswered(answer: unknown): Buffer {
  if (Buffer.isBuffer(answer)) return answer;
  if (answer instanceof Uint8Array) return Buffer.from(answer.buffer, answer.byteOffset, answer.length);
  throw new TypeError(`it answered with ${describe(answer)} for a Buffer`);
}

/** Whether a codec answers later. */
export function isLater(answer: Buffer | Promise<Buffer>): answer is Promise<Buffer> {
  return typeof (answer as Partial<Promise<Buffer>> | undefined)?.then === 'function';
}
