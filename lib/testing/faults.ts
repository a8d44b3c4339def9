import { API_KEYS, ERROR_CODES, type Api, type ApiName, type ErrorName } from '../core/protocol/index.js';
import { KrafkaConfigError, nearestOf } from '../core/support/index.js';

/**
 * What goes wrong with a request.
 * - `error`: answered with that error and not applied; with `topic` (and `partition`) only there, the rest is served.
 * - `delayMs`: applied, the answer comes so much later (and with it everything behind it on the connection).
 * - `throttleMs`: served at once; the answer says that the client is throttled so long (KIP-219), and for so long nothing
 *   further is read from the connection.
 * - `silence`: never answered. `true` or `'before'`: not applied either; `'after'`: applied.
 * - `disconnect`: the connection is closed, `'before'` it is applied or `'after'`, when only the answer is lost.
 * - `cutAt`: applied, the connection is closed after that many bytes of the answer (never all of them).
 * - `corrupt`: a bit of each fetched batch is flipped, so that its CRC is wrong. Fetch only.
 */
export type Fault =
  | { readonly error: ErrorName; readonly topic?: string; readonly partition?: number }
  | { readonly delayMs: number }
  | { readonly throttleMs: number }
  | { readonly silence: true | 'before' | 'after' }
  | { readonly disconnect: 'before' | 'after' }
  | { readonly cutAt: number }
  | { readonly corrupt: true };

/** What a rule may look at to decide whether it applies. */
export interface FaultTarget {
  readonly api: ApiName;
  readonly version: number;
  readonly nodeId: number;
  readonly connectionId: number;
  readonly clientId: string | null;
  /** The request's body as the protocol defines it. */
  readonly request: Readonly<Record<string, unknown>>;
}

/** When a fault applies. */
export interface FaultRule {
  readonly api: ApiName | readonly ApiName[];
  readonly fault: Fault;
  /** How often, default 1; `Infinity` until it is removed. */
  readonly times?: number;
  /** Only on this node. */
  readonly nodeId?: number;
  /** Only for requests that it is true of. */
  readonly when?: (target: FaultTarget) => boolean;
}

/** A rule in force. */
export interface ArmedFault {
  /** How often it has applied. */
  readonly applied: number;
  /** How often it still will; 0 when it is spent or removed. */
  readonly remaining: number;
  remove(): void;
}

const FAULT_KINDS = ['error', 'delayMs', 'throttleMs', 'silence', 'disconnect', 'cutAt', 'corrupt'] as const;
/** APIs whose answers carry an error for each partition. */
export const PARTITIONED: ReadonlySet<ApiName> = new Set([
  'Produce',
  'Fetch',
  'ListOffsets',
  'OffsetCommit',
  'OffsetFetch',
  'OffsetForLeaderEpoch',
  'TxnOffsetCommit',
]);

/** The faults that a broker commits on purpose. Rules are tried in the order they were added; one applies to a request. */
export class Faults {
  readonly #served: (api: ApiName) => Api | undefined;
  #rules: ArmedRule[] = [];

  /** @internal */
  constructor(served: (api: ApiName) => Api | undefined) {
    this.#served = served;
  }

  /** The next request of `api` meets `fault`. A name or fault that can never apply is a `KrafkaConfigError`. */
  next(api: ApiName, fault: Fault): ArmedFault {
    return this.add({ api, fault });
  }

  /** Requests of which the rule is true meet its fault. Refuses as {@link next} does. */
  add(rule: FaultRule): ArmedFault {
    const apis = typeof rule.api === 'string' ? [rule.api] : rule.api;
    if (!Array.isArray(apis) || apis.length === 0) throw new KrafkaConfigError('api', 'must name an API');
    for (const api of apis) this.#checkApi(api, rule.fault);
    const times = rule.times ?? 1;
    if (times !== Infinity && !(Number.isSafeInteger(times) && times >= 1)) {
      throw new KrafkaConfigError('times', `must be a whole number of at least 1, or Infinity, got ${times}`);
    }
    const armed = new ArmedRule(new Set(apis), rule, times, () => {
      this.#rules = this.#rules.filter((other) => other !== armed);
    });
    this.#rules.push(armed);
    return armed;
  }

  /** Removes every rule. */
  clear(): void {
    for (const rule of this.#rules) rule.remove();
  }

  /** @internal What this request meets. */
  meet(target: FaultTarget): MetFaults {
    if (this.#rules.length === 0) return NO_FAULTS;
    const rules = this.#rules.filter((rule) => rule.concerns(target));
    const whole = rules.find((rule) => !rule.isPartial);
    if (whole !== undefined) return { fault: whole.apply(), errorOf: undefined };
    if (rules.length === 0) return NO_FAULTS;
    return { fault: undefined, errorOf: partialFaults(rules) };
  }

  #checkApi(api: ApiName, fault: Fault): void {
    if (!(api in API_KEYS)) {
      throw new KrafkaConfigError('api', `'${api as string}' is no API`, nearestOf(api, Object.keys(API_KEYS)));
    }
    const served = this.#served(api);
    if (served === undefined) throw new KrafkaConfigError('api', `'${api}' is not served by the embedded broker`);
    checkFault(api, fault);
    if ('throttleMs' in fault && !('throttleTimeMs' in served.tables.response)) {
      throw new KrafkaConfigError('fault.throttleMs', `can't be said: answers to ${api} have no place for it`);
    }
  }
}

function checkFault(api: ApiName, fault: Fault): void {
  const given = typeof fault === 'object' && fault !== null ? Object.keys(fault) : [];
  const kind = given.find((key) => FAULT_KINDS.includes(key as (typeof FAULT_KINDS)[number]));
  if (kind === undefined) throw new KrafkaConfigError('fault', `must be one of ${FAULT_KINDS.join(', ')}`);
  const allowed = kind === 'error' ? ['error', 'topic', 'partition'] : [kind];
  const stranger = given.find((key) => !allowed.includes(key));
  if (stranger !== undefined) throw new KrafkaConfigError(`fault.${stranger}`, `has no meaning beside '${kind}'`);
  if ('error' in fault) checkError(api, fault);
  if ('delayMs' in fault) checkCount('fault.delayMs', fault.delayMs);
  if ('throttleMs' in fault) checkCount('fault.throttleMs', fault.throttleMs);
  if ('cutAt' in fault) checkCount('fault.cutAt', fault.cutAt);
  if ('silence' in fault) checkWord('fault.silence', fault.silence, [true, 'before', 'after']);
  if ('disconnect' in fault) checkWord('fault.disconnect', fault.disconnect, ['before', 'after']);
  if ('corrupt' in fault) {
    checkWord('fault.corrupt', fault.corrupt, [true]);
    if (api !== 'Fetch')
      throw new KrafkaConfigError('fault.corrupt', `corrupts fetched batches, which ${api} has none of`);
  }
}

function checkError(api: ApiName, fault: Extract<Fault, { readonly error: ErrorName }>): void {
  if (!(fault.error in ERROR_CODES) || fault.error === 'NONE') {
    throw new KrafkaConfigError(
      'fault.error',
      `'${fault.error}' is no error`,
      nearestOf(fault.error, Object.keys(ERROR_CODES)),
    );
  }
  if (fault.partition !== undefined && fault.topic === undefined) {
    throw new KrafkaConfigError('fault.partition', 'needs the topic beside it');
  }
  if (fault.topic !== undefined && !PARTITIONED.has(api)) {
    throw new KrafkaConfigError('fault.topic', `can't be singled out: ${api} has no errors by partition`);
  }
}

function checkCount(path: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new KrafkaConfigError(path, `must be a whole number, got ${value}`);
}

function checkWord(path: string, value: unknown, words: readonly unknown[]): void {
  if (!words.includes(value)) throw new KrafkaConfigError(path, `must be one of ${words.map(String).join(', ')}`);
}

/** What a request meets: a fault of the whole of it, or errors of single partitions. */
export interface MetFaults {
  readonly fault: Fault | undefined;
  readonly errorOf: ((topic: string, partition: number) => ErrorName | undefined) | undefined;
}

const NO_FAULTS: MetFaults = { fault: undefined, errorOf: undefined };

/** Faults that are for one partition are counted once the request turns out to have it. */
function partialFaults(rules: readonly ArmedRule[]): (topic: string, partition: number) => ErrorName | undefined {
  const counted = new Set<ArmedRule>();
  return (topic, partition) => {
    const rule = rules.find((one) => one.isFor(topic, partition));
    if (rule === undefined) return undefined;
    if (!counted.has(rule)) rule.apply();
    counted.add(rule);
    return rule.error;
  };
}

class ArmedRule implements ArmedFault {
  readonly #apis: ReadonlySet<ApiName>;
  readonly #rule: FaultRule;
  readonly #forget: () => void;
  #applied = 0;
  #remaining: number;

  constructor(apis: ReadonlySet<ApiName>, rule: FaultRule, times: number, forget: () => void) {
    this.#apis = apis;
    this.#rule = rule;
    this.#remaining = times;
    this.#forget = forget;
  }

  get applied(): number {
    return this.#applied;
  }

  get remaining(): number {
    return this.#remaining;
  }

  remove(): void {
    this.#remaining = 0;
    this.#forget();
  }

  /** For one topic or partition only. */
  get isPartial(): boolean {
    return 'error' in this.#rule.fault && this.#rule.fault.topic !== undefined;
  }

  get error(): ErrorName | undefined {
    return 'error' in this.#rule.fault ? this.#rule.fault.error : undefined;
  }

  isFor(topic: string, partition: number): boolean {
    const { fault } = this.#rule;
    return (
      'error' in fault && fault.topic === topic && (fault.partition === undefined || fault.partition === partition)
    );
  }

  concerns(target: FaultTarget): boolean {
    const { nodeId, when } = this.#rule;
    return (
      this.#apis.has(target.api) &&
      (nodeId === undefined || nodeId === target.nodeId) &&
      (when === undefined || when(target))
    );
  }

  apply(): Fault {
    this.#applied += 1;
    this.#remaining -= 1;
    if (this.#remaining === 0) this.#forget();
    return this.#rule.fault;
  }
}
