/** What every error of this library carries. */
export interface KrafkaErrorOptions {
  readonly code: string;
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/** The root of every error this library throws: `code` is stable, `retriable` says whether trying again may help. */
export class KrafkaError extends Error {
  readonly code: string;
  readonly retriable: boolean;

  constructor(message: string, options: KrafkaErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.retriable = options.retriable ?? false;
  }
}

/** An option is unknown, of the wrong type, out of range or would be ignored; `option` is its path. */
export class KrafkaConfigError extends KrafkaError {
  readonly option: string;
  /** The nearest option that exists, when the one given does not. */
  readonly nearest: string | undefined;

  constructor(option: string, problem: string, nearest?: string) {
    const hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`;
    super(`Option '${option}' ${problem}${hint}`, { code: 'INVALID_CONFIG' });
    this.option = option;
    this.nearest = nearest;
  }
}

/** A budget of time ran out: which one, how long it was, and what was being waited for. */
export class KrafkaTimeoutError extends KrafkaError {
  readonly budget: string;
  readonly budgetMs: number;
  readonly waitedFor: string;

  constructor(options: { budget: string; budgetMs: number; waitedFor: string; cause?: unknown }) {
    super(`${options.budget} of ${options.budgetMs} ms passed while waiting for ${options.waitedFor}`, {
      code: 'TIMEOUT',
      retriable: true,
      cause: options.cause,
    });
    this.budget = options.budget;
    this.budgetMs = options.budgetMs;
    this.waitedFor = options.waitedFor;
  }
}

/** The network to one address failed: refused, reset, closed, or not speaking Kafka. */
export class KrafkaConnectionError extends KrafkaError {
  readonly address: string;

  constructor(address: string, problem: string, options: { cause?: unknown; retriable?: boolean; code?: string } = {}) {
    super(`${address}: ${problem}`, {
      code: options.code ?? 'CONNECTION',
      retriable: options.retriable ?? true,
      cause: options.cause,
    });
    this.address = address;
  }
}

/** What a protocol error was about, where that is known. */
export interface ProtocolErrorContext {
  readonly topic?: string;
  readonly partition?: number;
  readonly address?: string;
  readonly api?: string;
  /** The broker's own words, when the response has any. */
  readonly detail?: string;
}

/** A broker answered with an error, named as Kafka names it in `code` (also used for malformed bytes: `MALFORMED`). */
export class KrafkaProtocolError extends KrafkaError {
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly address: string | undefined;
  readonly api: string | undefined;

  constructor(
    code: string,
    message: string,
    options: ProtocolErrorContext & { retriable?: boolean; cause?: unknown } = {},
  ) {
    const where = [
      options.api,
      options.topic === undefined
        ? undefined
        : `topic '${options.topic}'${options.partition === undefined ? '' : ` partition ${options.partition}`}`,
      options.address,
    ].filter((part) => part !== undefined);
    super(
      `${code}${where.length === 0 ? '' : ` (${where.join(', ')})`}: ${message}${options.detail ? ` (${options.detail})` : ''}`,
      { code, retriable: options.retriable ?? false, cause: options.cause },
    );
    this.topic = options.topic;
    this.partition = options.partition;
    this.address = options.address;
    this.api = options.api;
  }
}

/** The broker refused who we are, or could not prove who it is. Never retriable. */
export class KrafkaAuthenticationError extends KrafkaError {
  readonly address: string;

  constructor(address: string, problem: string, cause?: unknown) {
    super(`${address}: ${problem}`, { code: 'AUTHENTICATION', cause });
    this.address = address;
  }
}

/** `bufferMemory` stayed full for all of `maxBlockMs`, or as many sends wait for room in it as may. */
export class KrafkaBufferFullError extends KrafkaError {
  /** `waiting` is how many sends wait already, when that is why this one may not. */
  constructor(bufferMemory: number, maxBlockMs: number, waiting?: number) {
    const problem =
      waiting === undefined
        ? `stayed full for maxBlockMs of ${maxBlockMs} ms`
        : `is full, and ${waiting} sends wait for room in it already`;
    super(`the producer's bufferMemory of ${bufferMemory} bytes ${problem}`, { code: 'BUFFER_FULL', retriable: true });
  }
}

/** One record is larger than what the producer, the topic or the broker takes. */
export class KrafkaRecordTooLargeError extends KrafkaError {
  readonly topic: string;

  constructor(topic: string, problem: string, cause?: unknown) {
    super(`a record for topic '${topic}' ${problem}`, { code: 'RECORD_TOO_LARGE', cause });
    this.topic = topic;
  }
}

/** A newer instance with the same transactional id or group instance id took over. Fatal to this one. */
export class KrafkaFencedError extends KrafkaError {
  constructor(message: string, cause?: unknown) {
    super(message, { code: 'FENCED', cause });
  }
}

/** A serializer or deserializer failed, or a value is of a type that none was given for. */
export class KrafkaSerializationError extends KrafkaError {
  constructor(message: string, cause?: unknown) {
    super(message, { code: 'SERIALIZATION', cause });
  }
}

/** The thing was closed, by its owner, before or while this was asked of it. */
export class KrafkaClosedError extends KrafkaError {
  constructor(what: string, cause?: unknown) {
    super(`${what} is closed`, { code: 'CLOSED', cause });
  }
}

/** The cluster has not what was asked for, or not yet: which feature, and what the broker offers of it (KIP-584). */
export class KrafkaUnsupportedFeatureError extends KrafkaError {
  /** The feature's name in Kafka, e.g. `share.version`. */
  readonly feature: string;
  /** What the broker has of it, in words. */
  readonly offered: string;
  readonly address: string;

  constructor(options: { feature: string; needed: string; offered: string; address: string; cause?: unknown }) {
    super(`${options.needed}: the broker at ${options.address} offers ${options.offered}`, {
      code: 'UNSUPPORTED_FEATURE',
      cause: options.cause,
    });
    this.feature = options.feature;
    this.offered = options.offered;
    this.address = options.address;
  }
}
