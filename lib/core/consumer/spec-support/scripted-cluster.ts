import { ClusterMetadata, type BrokerNode, type LeaderChange, type TopicMetadata } from '../../cluster/index.js';
import type { BrokerConnection, SendOptions } from '../../network/index.js';
import type { Api, ApiName } from '../../protocol/index.js';

/** A request as it would have gone to a broker. */
export interface BrokerRequest {
  readonly nodeId: number;
  readonly purpose: string;
  readonly api: ApiName;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly options: SendOptions;
}

/** A topic's id for a spec: 22 characters that tell its name. */
export const idOf = (topic: string): string => Buffer.from(topic.padEnd(16, '.')).toString('base64url');

const node = (nodeId: number): BrokerNode => ({
  nodeId,
  host: 'b',
  port: nodeId,
  rack: null,
  address: `b:${nodeId}`,
});

/** A cluster whose brokers answer as the spec says; what was suspected of its metadata is kept. */
export class ScriptedCluster {
  metadata: ClusterMetadata = ClusterMetadata.empty;
  readonly sent: BrokerRequest[] = [];
  readonly suspected: string[] = [];
  readonly moved: LeaderChange[] = [];
  /** Nodes that can't be reached, and with what error. */
  readonly unreachable = new Map<number, Error>();
  /** Connections that were ended, as `address purpose`. */
  readonly dropped: string[] = [];
  readonly pool = { drop: (address: string, purpose: string) => this.dropped.push(`${address} ${purpose}`) } as never;
  /** Answers every request. */
  answer: (request: BrokerRequest) => unknown = () => {
    throw new Error('the spec gives no answer');
  };

  /** Leaders by topic, in the order of the partitions; each with its epoch, default 1. */
  lead(
    leaders: Record<string, (number | { leader: number; epoch: number })[]>,
    ids: Record<string, string> = {},
  ): void {
    const topics = Object.entries(leaders).map(([name, partitions]): [string, TopicMetadata] => [
      name,
      {
        name,
        id: ids[name] ?? idOf(name),
        isInternal: false,
        partitions: partitions.map((one, partition) => ({
          partition,
          leader: typeof one === 'number' ? one : one.leader,
          leaderEpoch: typeof one === 'number' ? 1 : one.epoch,
          replicas: [],
          isr: [],
          offlineReplicas: [],
        })),
      },
    ]);
    const brokers = new Map([1, 2, 3].map((nodeId) => [nodeId, node(nodeId)]));
    this.metadata = this.metadata.with({ brokers, topics: new Map(topics) });
  }

  requests(api: ApiName, nodeId?: number): BrokerRequest[] {
    return this.sent.filter((one) => one.api === api && (nodeId === undefined || one.nodeId === nodeId));
  }

  readyConnection(nodeId: number, purpose = 'data'): BrokerConnection | undefined {
    if (this.unreachable.has(nodeId)) return undefined;
    const sendRequest = async (api: Api, body: unknown, options: SendOptions = {}): Promise<unknown> => {
      const request = { nodeId, purpose, api: api.name, body, options };
      this.sent.push(request);
      return this.answer(request);
    };
    return {
      address: `b:${nodeId}`,
      sendRequest,
      versionOf: () => 11,
      stats: () => ({ bytesSent: this.sent.length * 60 }),
    } as unknown as BrokerConnection;
  }

  async connection(nodeId: number, purpose: string): Promise<BrokerConnection> {
    const connection = this.readyConnection(nodeId, purpose);
    if (connection === undefined) throw this.unreachable.get(nodeId) as Error;
    return connection;
  }

  suspect(topic: string): void {
    this.suspected.push(topic);
  }

  leaderMoved(...changes: LeaderChange[]): void {
    this.moved.push(...changes);
  }
}
