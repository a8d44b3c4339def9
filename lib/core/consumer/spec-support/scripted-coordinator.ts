import type { CoordinatorLink, CoordinatorRequest } from '../../coordination/index.js';
import type { BrokerConnection } from '../../network/index.js';
import type { Api, ApiName } from '../../protocol/index.js';

/** A request as it would have gone to the coordinator. */
export interface SentRequest {
  readonly api: ApiName;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly options: CoordinatorRequest;
}

type Answer = (body: never, request: SentRequest) => unknown;

/** A coordinator that answers by a script: what it is asked, and what it heeds, is kept. */
export class ScriptedCoordinator implements CoordinatorLink {
  readonly groupId = 'g';
  readonly sent: SentRequest[] = [];
  readonly heeded: number[] = [];
  released = 0;
  readonly #answers = new Map<ApiName, Answer[]>();
  readonly #always = new Map<ApiName, Answer>();
  /** Requests wait for it before they are composed: the connection is still being made. */
  connecting: Promise<void> | undefined;
  /** The highest version that the broker speaks of every API. */
  version = 9;

  /** The next answer to an API: a value, or a function of the request. Answers are used up in order. */
  next(api: ApiName, answer: Answer | object): this {
    const given = typeof answer === 'function' ? (answer as Answer) : () => answer;
    this.#answers.set(api, [...(this.#answers.get(api) ?? []), given]);
    return this;
  }

  /** The answer to an API when there is no next one. */
  always(api: ApiName, answer: Answer | object): this {
    this.#always.set(api, typeof answer === 'function' ? (answer as Answer) : () => answer);
    return this;
  }

  /** What was asked of one API. */
  requests(api: ApiName): SentRequest[] {
    return this.sent.filter((request) => request.api === api);
  }

  readonly request = (async (api: Api, request: unknown, options: CoordinatorRequest = {}) => {
    if (this.connecting !== undefined) await this.connecting;
    const connection = { versionOf: () => this.version } as unknown as BrokerConnection;
    const body = typeof request === 'function' ? (request as (c: BrokerConnection) => unknown)(connection) : request;
    const sent = { api: api.name, body, options };
    this.sent.push(sent);
    const answer = this.#answers.get(api.name)?.shift() ?? this.#always.get(api.name);
    if (answer === undefined) throw new Error(`no answer to ${api.name} in the script`);
    const { signal } = options;
    if (signal === undefined) return answer(body as never, sent);
    signal.throwIfAborted();
    return await new Promise<unknown>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      Promise.resolve(answer(body as never, sent)).then(resolve, reject);
    });
  }) as unknown as CoordinatorLink['request'];

  heed(errorCode: number): void {
    this.heeded.push(errorCode);
  }

  release(): Promise<void> {
    this.released++;
    return Promise.resolve();
  }
}
