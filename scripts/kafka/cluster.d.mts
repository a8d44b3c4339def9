/** A running real Kafka; see cluster.mjs. */
export interface RealKafka {
  readonly version: string;
  readonly jars: string;
  readonly bootstrap: string;
  readonly secure: { readonly bootstrap: string; readonly connection: object } | undefined;
  readonly nodeIds: readonly number[];
  portOf(id: number): number;
  pidOf(id: number): number | undefined;
  startNode(id: number): Promise<void>;
  stopNode(id: number, signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

export interface RealKafkaOptions {
  readonly version?: string;
  readonly nodes?: number;
  readonly secure?: boolean;
  readonly heapMiB?: number;
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
}

export function startKafka(options?: RealKafkaOptions): Promise<RealKafka>;
