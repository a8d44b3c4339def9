import type { Cluster } from '../../cluster/index.js';
import { ScriptedCluster } from '../../cluster/spec-support/scripted-cluster.js';
import { Admin } from '../admin.js';

/** A topic id, for tests that need one. */
export const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';

/** An admin of a cluster whose brokers do as the test says. */
export function setUp(brokers = 1): {
  readonly scripted: ScriptedCluster;
  readonly cluster: Cluster;
  readonly admin: Admin;
} {
  const scripted = new ScriptedCluster(brokers);
  const cluster = scripted.cluster();
  return { scripted, cluster, admin: new Admin(cluster, {}, scripted.ports) };
}

/** Lets every broker speak an API, named by its key, up to this version only. */
export function limit(scripted: ScriptedCluster, apiKey: number, maxVersion: number): void {
  for (const broker of scripted.brokers.values()) {
    const apiKeys = broker.versions.apiKeys.map((api) => (api.apiKey === apiKey ? { ...api, maxVersion } : api));
    broker.versions = { ...broker.versions, apiKeys };
  }
}

/** What a promise rejects with. */
export const failureOf = (promise: Promise<unknown>): Promise<Error & { readonly code?: string }> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as Error,
  );
