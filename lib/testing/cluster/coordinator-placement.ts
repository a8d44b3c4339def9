import type { Cluster } from './cluster.js';
import type { ClusterNode } from './node.js';

/** What a coordinator looks after; its numbers are those of FindCoordinator. */
export type CoordinatorType = 'group' | 'transaction';

/** Which node coordinates which group and transactional id: spread by name, unless it was moved. */
export class CoordinatorPlacement {
  readonly #cluster: Cluster;
  readonly #moved = new Map<string, number>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The coordinating node; undefined when no node is online. */
  nodeOf(type: CoordinatorType, key: string): ClusterNode | undefined {
    const moved = this.#moved.get(placeOf(type, key));
    const nodes = [...this.#cluster.nodes.values()];
    const first = moved === undefined ? hash(key) % nodes.length : nodes.findIndex((node) => node.id === moved);
    for (let step = 0; step < nodes.length; step++) {
      const node = nodes[(first + step) % nodes.length];
      if (node?.online) return node;
    }
    return undefined;
  }

  move(type: CoordinatorType, key: string, nodeId: number): void {
    this.#moved.set(placeOf(type, key), nodeId);
  }
}

const placeOf = (type: CoordinatorType, key: string): string => `${type}:${key}`;

function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index++) value = (Math.imul(value, 31) + text.charCodeAt(index)) | 0;
  return value & 0x7fff_ffff;
}
