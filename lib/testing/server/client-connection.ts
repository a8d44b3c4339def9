import type { Socket } from 'node:net';
import {
  Reader,
  decodeRequestHeader,
  encodeResponseFrame,
  ERROR_CODES,
  type Api,
  type RequestHeader,
} from '../../core/protocol/index.js';
import { KrafkaError, type Timer } from '../../core/support/index.js';
import { CLOSE, NO_ANSWER, type BrokerParts, type RequestScope, type ServedApi } from '../apis/served-api.js';
import type { ClusterNode } from '../cluster/node.js';
import type { Fault, Faults, MetFaults } from '../faults.js';
import type { RequestLog } from '../request-log.js';
import { FrameSplitter } from './frame-splitter.js';
import { unsupportedApiVersions } from '../apis/api-versions.js';
import type { SaslGate } from './sasl-gate.js';

/** Kafka's socket.request.max.bytes. */
const MAX_REQUEST_BYTES = 104_857_600;
/** Beyond this the socket is not read while a request is being served. */
const READ_AHEAD_BYTES = 1_048_576;

/** What every connection of a broker shares. */
export interface ConnectionParts extends BrokerParts {
  readonly faults: Faults;
  readonly requests: RequestLog;
  newSaslGate(): SaslGate | undefined;
}

/**
 * One client's connection. Requests are served one at a time, in order, each answered before the next is looked at, as
 * a real broker does: whatever waits (a long poll, a rebalance) holds up everything behind it.
 */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #parts: ConnectionParts;
  readonly #splitter = new FrameSplitter(MAX_REQUEST_BYTES);
  readonly #gate: SaslGate | undefined;
  readonly #onAbandoned = new Set<() => void>();
  readonly #timers = new Set<Timer>();
  #serving = false;
  #closed = false;

  constructor(
    readonly id: number,
    readonly node: ClusterNode,
    socket: Socket,
    parts: ConnectionParts,
    onClosed: () => void,
  ) {
    this.#socket = socket;
    this.#parts = parts;
    this.#gate = parts.newSaslGate();
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    // A peer's reset needs no word here: 'close' follows, and the peer knows what it did.
    socket.on('error', () => socket.destroy());
    socket.on('end', () => this.close());
    socket.on('close', () => {
      this.#abandon();
      onClosed();
    });
  }

  /** Ends the connection at once; what was being served is dropped. */
  close(): void {
    this.#abandon();
    this.#socket.destroy();
  }

  #abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    for (const callback of this.#onAbandoned) callback();
    this.#onAbandoned.clear();
  }

  #received(chunk: Buffer): void {
    this.#splitter.push(chunk);
    if (this.#serving) {
      if (this.#splitter.waitingBytes > READ_AHEAD_BYTES) this.#socket.pause();
      return;
    }
    this.#serveWaiting();
  }

  #serveWaiting(): void {
    try {
      while (!this.#serving && !this.#closed) {
        const frame = this.#splitter.next();
        if (frame === undefined) break;
        this.#serve(frame);
      }
    } catch (error) {
      // Kafka says nothing to malformed bytes either.
      if (error instanceof KrafkaError && error.code === 'MALFORMED') this.close();
      else this.#broke(error);
    }
    if (!this.#serving && this.#socket.isPaused()) this.#socket.resume();
  }

  #serve(frame: Buffer): void {
    const token = this.#gate?.rawToken(frame);
    if (token !== undefined) return this.#answerToken(token);
    const reader = new Reader(frame);
    const header = decodeRequestHeader(reader);
    const served = this.#parts.offered.find(header.apiKey);
    if (served === undefined) return this.close();
    const { apiVersion: version, clientId } = header;
    const range = this.#parts.offered.range(header.apiKey);
    const log = { api: served.name, version, nodeId: this.node.id, connectionId: this.id, clientId };
    if (range === undefined || version < range.from || version > range.to) {
      if (served.name !== 'ApiVersions') return this.close();
      this.#parts.requests.add(log);
      // Whatever version was asked for, the answer is one that every client can read.
      return this.#write(served.api, 0, header.correlationId, unsupportedApiVersions(this.#parts.offered));
    }
    const request = served.api.request.decode(reader, version);
    this.#parts.requests.add(log);
    if (this.#gate?.admits(served.name) === false) return this.close();
    const met = this.#parts.faults.meet({ ...log, request: request as Record<string, unknown> });
    this.#handle(served, header, request, met);
  }

  #handle(served: ServedApi, header: RequestHeader, request: unknown, met: MetFaults): void {
    const { fault } = met;
    if (fault !== undefined) {
      if ('disconnect' in fault && fault.disconnect === 'before') return this.close();
      if ('silence' in fault && fault.silence !== 'after') {
        this.#serving = true;
        return;
      }
    }
    const scope = this.#scope(header, met);
    // A SASL exchange is kept by the connection; everything else is served from what the brokers share.
    const answer =
      fault !== undefined && 'error' in fault
        ? served.refuse(request as never, ERROR_CODES[fault.error], scope)
        : (this.#gate?.serve(served.name, request, scope) ?? served.handle(request as never, scope));
    if (!(answer instanceof Promise)) return this.#answer(served, header, answer, fault);
    this.#serving = true;
    answer.then((late) => this.#answerLate(served, header, late, fault)).catch((error: unknown) => this.#broke(error));
  }

  #answerLate(served: ServedApi, header: RequestHeader, answer: unknown, fault: Fault | undefined): void {
    if (this.#closed) return;
    this.#serving = false;
    this.#answer(served, header, answer, fault);
    this.#serveWaiting();
  }

  #answer(served: ServedApi, header: RequestHeader, answer: unknown, fault: Fault | undefined): void {
    if (this.#closed) return;
    if (answer === CLOSE) return this.close();
    if (fault !== undefined && 'disconnect' in fault) return this.close();
    if (fault !== undefined && 'silence' in fault) {
      this.#serving = true;
      return;
    }
    if (answer === NO_ANSWER) return;
    const { apiVersion: version, correlationId } = header;
    if (fault !== undefined && 'delayMs' in fault) {
      const chunks = encodeResponseFrame(served.api, version, correlationId, answer as never);
      return this.#rest(fault.delayMs, () => this.#send(chunks));
    }
    if (fault !== undefined && 'throttleMs' in fault) {
      this.#write(served.api, version, correlationId, { ...(answer as object), throttleTimeMs: fault.throttleMs });
      return this.#rest(fault.throttleMs);
    }
    if (fault !== undefined && 'cutAt' in fault)
      return this.#cut(served.api, version, correlationId, answer, fault.cutAt);
    this.#write(served.api, version, correlationId, answer);
    if (this.#gate?.failed) this.#socket.end();
  }

  #write(api: Api, version: number, correlationId: number, answer: unknown): void {
    this.#send(encodeResponseFrame(api, version, correlationId, answer as never));
  }

  #send(chunks: readonly Buffer[]): void {
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.uncork();
  }

  #cut(api: Api, version: number, correlationId: number, answer: unknown, cutAt: number): void {
    const frame = Buffer.concat(encodeResponseFrame(api, version, correlationId, answer as never));
    this.#serving = true;
    this.#socket.write(frame.subarray(0, Math.min(cutAt, frame.length - 1)), () => this.close());
  }

  #answerToken(token: Buffer): void {
    const frame = Buffer.alloc(4 + token.length);
    frame.writeInt32BE(token.length, 0);
    token.copy(frame, 4);
    this.#socket.write(frame);
    if (this.#gate?.failed) this.#socket.end();
  }

  /** Serves nothing for a while; what is behind comes when it is over. */
  #rest(delayMs: number, whenOver: () => void = () => undefined): void {
    this.#serving = true;
    const timer = this.#parts.cluster.clock.setTimer(
      delayMs,
      () => {
        this.#timers.delete(timer);
        this.#serving = false;
        whenOver();
        this.#serveWaiting();
      },
      true,
    );
    this.#timers.add(timer);
  }

  #scope(header: RequestHeader, { fault, errorOf }: MetFaults): RequestScope {
    const error = fault !== undefined && 'error' in fault ? fault.error : undefined;
    return {
      ...this.#parts,
      node: this.node,
      version: header.apiVersion,
      clientId: header.clientId ?? '',
      clientHost: `/${this.#socket.remoteAddress ?? ''}`,
      corrupted: fault !== undefined && 'corrupt' in fault,
      faulted: errorOf ?? (error === undefined ? noFault : () => error),
      onAbandoned: (callback) => {
        this.#onAbandoned.add(callback);
        return () => this.#onAbandoned.delete(callback);
      },
    };
  }

  // A handler that throws is a defect of this broker, not of its client: it must be seen.
  #broke(error: unknown): void {
    this.close();
    const stack = error instanceof Error ? error.stack : String(error);
    process.emitWarning(`the embedded broker failed to serve a request: ${stack}`, 'EmbeddedBrokerWarning');
  }
}

const noFault = (): undefined => undefined;
