import { systemNetworkPorts } from '../../dist/core/index.js';

/** Opens real sockets and keeps, of every request written to them, its API, its size and where it went. */
export class RecordingDialer {
  requests = [];

  async dial(target, receiver, signal) {
    const stream = await systemNetworkPorts.dialer.dial(target, receiver, signal);
    // What is left of the request whose beginning was seen.
    let left = 0;
    return {
      write: (chunks) => {
        for (const chunk of chunks) {
          let at = 0;
          while (at < chunk.length) {
            if (left === 0) {
              left = 4 + chunk.readInt32BE(at);
              this.requests.push({ api: chunk.readInt16BE(at + 4), bytes: left, port: target.port });
            }
            const here = Math.min(left, chunk.length - at);
            left -= here;
            at += here;
          }
        }
        return stream.write(chunks);
      },
      destroy: () => stream.destroy(),
    };
  }

  of(api) {
    return this.requests.filter((request) => request.api === api.key);
  }
}
