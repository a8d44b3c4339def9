import { API_KEYS, type ApiName, type VersionRange } from '../../core/protocol/index.js';
import { KrafkaConfigError, nearestOf } from '../../core/support/index.js';
import type { ServedApi } from '../apis/served-api.js';

/** Which versions of an API are offered, within what is served; `false`: the API is not offered at all. */
export type ApiVersionLimit = { readonly min?: number; readonly max?: number } | false;

/** Limits by API; what is not named is offered as far as it is served. */
export type ApiVersionLimits = { readonly [Name in ApiName]?: ApiVersionLimit };

/** What the broker offers of what it serves: the answer to ApiVersions, and the gate of every request. */
export class OfferedApis {
  readonly #served: ReadonlyMap<number, ServedApi>;
  #ranges: ReadonlyMap<number, VersionRange>;

  constructor(served: readonly ServedApi[], limits: ApiVersionLimits = {}) {
    this.#served = new Map(served.map((api) => [api.api.key, api]));
    this.#ranges = this.#limited(limits);
  }

  /** Replaces all limits. Names or versions that are not served are a `KrafkaConfigError`. */
  limit(limits: ApiVersionLimits): void {
    this.#ranges = this.#limited(limits);
  }

  /** An API that is served, whether or not it is offered at the moment. */
  served(name: ApiName): ServedApi | undefined {
    return this.#served.get(API_KEYS[name]);
  }

  /** The API of a request, if it is offered at all. */
  find(key: number): ServedApi | undefined {
    return this.#ranges.has(key) ? this.#served.get(key) : undefined;
  }

  range(key: number): VersionRange | undefined {
    return this.#ranges.get(key);
  }

  offers(name: ApiName): boolean {
    return this.#ranges.has(API_KEYS[name]);
  }

  list(): readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[] {
    return [...this.#ranges].map(([apiKey, { from, to }]) => ({ apiKey, minVersion: from, maxVersion: to }));
  }

  #limited(limits: ApiVersionLimits): ReadonlyMap<number, VersionRange> {
    for (const [name, limit] of Object.entries(limits)) this.#check(name, limit);
    const ranges = new Map<number, VersionRange>();
    for (const [key, { name, versions }] of [...this.#served].toSorted(([a], [b]) => a - b)) {
      const limit = limits[name];
      if (limit === false) continue;
      ranges.set(key, { from: limit?.min ?? versions.from, to: limit?.max ?? versions.to });
    }
    return ranges;
  }

  #check(name: string, limit: ApiVersionLimit | undefined): void {
    const path = `apiVersions.${name}`;
    const key = (API_KEYS as Readonly<Record<string, number>>)[name];
    const served = key === undefined ? undefined : this.#served.get(key);
    if (served === undefined) {
      const names = [...this.#served.values()].map((api) => api.name);
      throw new KrafkaConfigError(path, 'is no API that the embedded broker serves', nearestOf(name, names));
    }
    if (limit === false || limit === undefined) return;
    const { from, to } = served.versions;
    const { min = from, max = to } = limit;
    if (!(min >= from && max <= to && min <= max)) {
      throw new KrafkaConfigError(path, `must lie within versions ${from} to ${to}, got ${min} to ${max}`);
    }
  }
}
