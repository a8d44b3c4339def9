import type { RecordMetadata, SendOutcome } from '../record.js';

type Resolve = (metadata: RecordMetadata) => void;
type Reject = (error: Error) => void;

/**
 * Who awaits the records of one batch, in their order.
 *
 * Hot: guarded by `npm run bench -- produce`. A record costs two array slots here, and its promise; its metadata is made
 * when the batch is acknowledged. A record of a {@link SendGroup} has no promise of its own.
 */
export class Settlements {
  /** By record: its resolver, or the group it belongs to. */
  #owners: (Resolve | SendGroup)[] = [];
  /** By record: its rejecter, or its place in the group. */
  #places: (Reject | number)[] = [];
  #timestamps: number[] = [];

  get count(): number {
    return this.#owners.length;
  }

  /** Adds the next record with a promise of its own. */
  addPromise(timestamp: number): Promise<RecordMetadata> {
    const promise = new Promise<RecordMetadata>(capture);
    this.#owners.push(capturedResolve);
    this.#places.push(capturedReject);
    this.#timestamps.push(timestamp);
    return promise;
  }

  /** Adds the next record, whose promise exists already. */
  add(timestamp: number, resolve: Resolve, reject: Reject): void {
    this.#owners.push(resolve);
    this.#places.push(reject);
    this.#timestamps.push(timestamp);
  }

  /** Adds the next record as one of a group. */
  addToGroup(timestamp: number, group: SendGroup, place: number): void {
    this.#owners.push(group);
    this.#places.push(place);
    this.#timestamps.push(timestamp);
  }

  /** Tells every owner where its record is. `baseOffset` -1: unknown; `logAppendTimeMs` -1: the records' own timestamps. */
  acknowledge(topic: string, partition: number, baseOffset: number, logAppendTimeMs: number): void {
    const owners = this.#owners;
    const places = this.#places;
    const timestamps = this.#timestamps;
    for (let index = 0; index < owners.length; index++) {
      const owner = owners[index] as Resolve | SendGroup;
      const metadata: RecordMetadata = {
        topic,
        partition,
        offset: baseOffset < 0 ? -1 : baseOffset + index,
        timestamp: logAppendTimeMs < 0 ? (timestamps[index] as number) : logAppendTimeMs,
      };
      if (typeof owner === 'function') owner(metadata);
      else owner.acknowledged(places[index] as number, metadata);
    }
    this.#forget();
  }

  /** Tells every owner that its record failed. */
  fail(errorOf: (index: number) => Error): void {
    const owners = this.#owners;
    const places = this.#places;
    for (let index = 0; index < owners.length; index++) {
      const owner = owners[index] as Resolve | SendGroup;
      if (typeof owner === 'function') (places[index] as Reject)(errorOf(index));
      else owner.failed(places[index] as number, errorOf(index));
    }
    this.#forget();
  }

  /** Cuts the batch's owners in two, the first `count` of them and the rest. */
  split(count: number): [Settlements, Settlements] {
    const first = new Settlements();
    const second = new Settlements();
    first.#owners = this.#owners.slice(0, count);
    first.#places = this.#places.slice(0, count);
    first.#timestamps = this.#timestamps.slice(0, count);
    second.#owners = this.#owners.slice(count);
    second.#places = this.#places.slice(count);
    second.#timestamps = this.#timestamps.slice(count);
    this.#forget();
    return [first, second];
  }

  #forget(): void {
    this.#owners = [];
    this.#places = [];
    this.#timestamps = [];
  }
}

// One executor for every promise: a closure for each would be the largest part of what a send costs.
let capturedResolve: Resolve;
let capturedReject: Reject;
const capture = (resolve: Resolve, reject: Reject): void => {
  capturedResolve = resolve;
  capturedReject = reject;
};

/** What became of each record of a group, in its order; `failures` of them are errors. */
type GroupDone = (outcomes: readonly (RecordMetadata | Error)[], failures: number) => void;

/** The records of one `sendAll` call: one counter and one promise for all of them. */
export class SendGroup {
  readonly #outcomes: (RecordMetadata | Error | undefined)[];
  readonly #done: GroupDone;
  #afterwards: (() => void) | undefined;
  #left: number;
  #failures = 0;

  constructor(size: number, done: GroupDone) {
    this.#outcomes = new Array<RecordMetadata | Error | undefined>(size).fill(undefined);
    this.#left = size;
    this.#done = done;
  }

  /** Calls back when all are settled: at once, if they are. */
  afterwards(callback: () => void): void {
    if (this.#left === 0) callback();
    else this.#afterwards = callback;
  }

  acknowledged(place: number, metadata: RecordMetadata): void {
    this.#outcomes[place] = metadata;
    this.#settled();
  }

  failed(place: number, error: Error): void {
    this.#outcomes[place] = error;
    this.#failures++;
    this.#settled();
  }

  #settled(): void {
    if (--this.#left > 0) return;
    this.#done(this.#outcomes as (RecordMetadata | Error)[], this.#failures);
    this.#afterwards?.();
  }
}

/** A group that ends with everybody's metadata, or with the first failure among them, once all are settled. */
export function groupOfAll(
  size: number,
  resolve: (metadata: RecordMetadata[]) => void,
  reject: (error: Error) => void,
): SendGroup {
  return new SendGroup(size, (outcomes, failures) => {
    if (failures === 0) resolve(outcomes as RecordMetadata[]);
    else reject(outcomes.find((outcome) => outcome instanceof Error) as Error);
  });
}

/** A group that ends with each record's outcome. */
export function groupOfOutcomes(size: number, resolve: (outcomes: SendOutcome[]) => void): SendGroup {
  return new SendGroup(size, (outcomes) => {
    resolve(
      outcomes.map((outcome) =>
        outcome instanceof Error ? { status: 'rejected', reason: outcome } : { status: 'fulfilled', value: outcome },
      ),
    );
  });
}
