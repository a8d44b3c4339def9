/** One broker of the cluster: where it listens and whether it runs. Written by the cluster that owns it. */
export interface ClusterNode {
  readonly id: number;
  readonly host: string;
  /** Given once it first listens; kept over restarts. */
  port: number;
  online: boolean;
}
