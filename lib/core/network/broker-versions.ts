import { ApiVersions, protocolError, type Api, type ResponseOf } from '../protocol/index.js';
import { KrafkaProtocolError } from '../support/index.js';
import { CLIENT_SOFTWARE } from './client-software.js';
import type { SendOptions } from './send-options.js';

type Range = { readonly minVersion: number; readonly maxVersion: number };

/** Sends a request that opens a connection. */
export type Exchange = <A extends Api>(api: A, version: number, request: object) => Promise<ResponseOf<A>>;

/** What one broker speaks: its versions of every API, and the cluster's features. */
export class BrokerVersions {
  readonly #address: string;
  readonly #ranges: ReadonlyMap<number, Range>;
  /** The highest common version by API key: asked for at every request. */
  readonly #highest = new Map<number, number>();
  /** Finalized features of the cluster by name, with their level (KIP-584). */
  readonly features: ReadonlyMap<string, number>;

  constructor(address: string, answer: ResponseOf<typeof ApiVersions>) {
    this.#address = address;
    this.#ranges = new Map(answer.apiKeys.map((range) => [range.apiKey, range]));
    this.features = new Map(answer.finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]));
  }

  /**
   * Asks a broker, in the newest version spoken here and, where the broker does not know it, in the newest of the
   * broker's; a broker too old to say which is asked in version 0 (KIP-511).
   */
  static async negotiate(address: string, exchange: Exchange): Promise<BrokerVersions> {
    let version = ApiVersions.versions.to;
    for (;;) {
      const answer = await exchange(ApiVersions, version, CLIENT_SOFTWARE);
      if (answer.errorCode === 0) return new BrokerVersions(address, answer);
      const error = protocolError(answer.errorCode, { api: 'ApiVersions', address });
      if (error.code !== 'UNSUPPORTED_VERSION' || version === 0) throw error;
      const theirs = answer.apiKeys.find(({ apiKey }) => apiKey === ApiVersions.key);
      // Always downwards, so that a broker that contradicts itself is asked a few times and no more.
      version = Math.max(0, Math.min(version - 1, theirs?.maxVersion ?? 0));
    }
  }

  supports(api: Api): boolean {
    return this.#common(api) !== undefined;
  }

  /** The highest common version. Throws KrafkaProtocolError (`UNSUPPORTED_VERSION`) that names both ranges. */
  versionOf(api: Api): number {
    let highest = this.#highest.get(api.key);
    if (highest === undefined) {
      highest = this.#common(api)?.maxVersion;
      if (highest === undefined) throw this.#unsupported(api, spoken(api.versions.from, api.versions.to));
      this.#highest.set(api.key, highest);
    }
    return highest;
  }

  /** The version of one request. Throws as {@link versionOf}. */
  pick(api: Api, options: SendOptions | undefined): number {
    if (options?.version === undefined && options?.maxVersion === undefined) return this.versionOf(api);
    const common = this.#common(api);
    const version = options.version ?? Math.min(options.maxVersion ?? Infinity, common?.maxVersion ?? 0);
    if (common === undefined || version < common.minVersion || version > common.maxVersion) {
      const asked =
        options.version === undefined ? spoken(api.versions.from, options.maxVersion ?? 0) : `${options.version}`;
      throw this.#unsupported(api, `${asked} of ${spoken(api.versions.from, api.versions.to)}`);
    }
    return version;
  }

  #common(api: Api): Range | undefined {
    const theirs = this.#ranges.get(api.key);
    if (theirs === undefined) return undefined;
    const minVersion = Math.max(api.versions.from, theirs.minVersion);
    const maxVersion = Math.min(api.versions.to, theirs.maxVersion);
    return minVersion > maxVersion ? undefined : { minVersion, maxVersion };
  }

  #unsupported(api: Api, here: string): KrafkaProtocolError {
    const theirs = this.#ranges.get(api.key);
    const there = theirs === undefined ? 'none' : spoken(theirs.minVersion, theirs.maxVersion);
    return new KrafkaProtocolError('UNSUPPORTED_VERSION', `here ${here} is asked for, the broker speaks ${there}`, {
      api: api.name,
      address: this.#address,
    });
  }
}

const spoken = (from: number, to: number): string => (from === to ? `version ${from}` : `versions ${from} to ${to}`);
