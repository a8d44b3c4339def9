import net from 'node:net';

const STAGING_BYTES = 64 * 1024;

/**
 * A socket that writes requests as they are and reads answers as they come, each into one buffer, none of them decoded:
 * what a client could reach that did nothing else.
 */
export class RawSocket {
  #socket;
  #staging = Buffer.allocUnsafeSlow(STAGING_BYTES);
  #staged = 0;
  #frame;
  #filled = 0;
  #answers = [];
  #waiting = [];

  static open(host, port) {
    const raw = new RawSocket();
    return new Promise((resolve, reject) => {
      raw.#socket = net.connect({
        host,
        port,
        noDelay: true,
        onread: {
          buffer: () =>
            raw.#frame === undefined ? raw.#staging.subarray(raw.#staged) : raw.#frame.subarray(raw.#filled),
          callback: (count) => raw.#read(count),
        },
      });
      raw.#socket.once('error', reject);
      raw.#socket.once('connect', () => resolve(raw));
    });
  }

  write(request) {
    this.#socket.write(request);
  }

  /** The next answer, without its length. */
  answer() {
    const ready = this.#answers.shift();
    return ready === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(ready);
  }

  close() {
    this.#socket.destroy();
  }

  #read(count) {
    if (this.#frame !== undefined) {
      this.#filled += count;
      if (this.#filled === this.#frame.length) this.#complete();
      return true;
    }
    this.#staged += count;
    let at = 0;
    while (this.#staged - at >= 4) {
      const length = this.#staging.readInt32BE(at);
      const here = Math.min(length, this.#staged - at - 4);
      this.#frame = Buffer.allocUnsafeSlow(length);
      this.#staging.copy(this.#frame, 0, at + 4, at + 4 + here);
      this.#filled = here;
      at += 4 + here;
      if (here < length) break;
      this.#complete();
    }
    this.#staging.copyWithin(0, at, this.#staged);
    this.#staged -= at;
    return true;
  }

  #complete() {
    const frame = this.#frame;
    this.#frame = undefined;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#answers.push(frame);
    else waiting(frame);
  }
}
