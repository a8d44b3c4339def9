import {
  APIS,
  ApiVersions,
  decodeRequestHeader,
  encodeResponseFrame,
  Reader,
  type AnswerOf,
  type Api,
  type ApiName,
} from '../../protocol/index.js';
import type { MemoryPeer } from './memory-dialer.js';

/** A request as the broker got it, with the means to answer. */
export interface Received {
  readonly name: ApiName;
  readonly api: Api;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly request: Record<string, unknown>;
  readonly peer: MemoryPeer;
}

/** The answer to a request, or undefined to leave it unanswered for now. */
export type Script = (received: Received) => object | undefined;

/** A broker of a few lines: it answers ApiVersions by itself, and everything else as its script says. */
export class ScriptedBroker {
  readonly #script: Script;
  /** What ApiVersions says. */
  versions: AnswerOf<typeof ApiVersions> = everythingSpokenHere();
  /** Every request but ApiVersions, in the order of arrival. */
  readonly received: Received[] = [];

  constructor(script: Script = () => undefined) {
    this.#script = script;
  }

  /** The names of what was received. */
  get names(): ApiName[] {
    return this.received.map(({ name }) => name);
  }

  /** Serves a connection: pass it to `MemoryDialer.listen`. */
  readonly serve = (peer: MemoryPeer): void => {
    peer.onWrite = (bytes) => {
      for (let start = 0; start < bytes.length;) {
        const length = bytes.readInt32BE(start);
        this.#onFrame(bytes.subarray(start + 4, start + 4 + length), peer);
        start += 4 + length;
      }
    };
  };

  /** Sends an answer; the client has it when the current turn is over. */
  answer(received: Received, answer: object, correlationId = received.correlationId): void {
    const frame = Buffer.concat(encodeResponseFrame(received.api, received.version, correlationId, answer));
    queueMicrotask(() => received.peer.send(frame));
  }

  #onFrame(frame: Buffer, peer: MemoryPeer): void {
    const reader = new Reader(frame);
    const { apiKey, apiVersion, correlationId, clientId } = decodeRequestHeader(reader);
    const api = APIS.get(apiKey) as Api;
    const request = api.request.decode(reader, apiVersion) as Record<string, unknown>;
    const received = { name: api.name, api, version: apiVersion, correlationId, clientId, request, peer };
    if (api.key === ApiVersions.key) {
      this.answer(received, this.versions);
      return;
    }
    this.received.push(received);
    const answer = this.#script(received);
    if (answer !== undefined) this.answer(received, answer);
  }
}

function everythingSpokenHere(): AnswerOf<typeof ApiVersions> {
  return {
    errorCode: 0,
    apiKeys: [...APIS.values()].map(({ key, versions }) => ({
      apiKey: key,
      minVersion: versions.from,
      maxVersion: versions.to,
    })),
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: 7,
    finalizedFeatures: [{ name: 'transaction.version', maxVersionLevel: 2, minVersionLevel: 2 }],
    zkMigrationReady: false,
  };
}
