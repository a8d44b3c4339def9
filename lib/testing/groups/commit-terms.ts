/** Who commits which offsets, and by what right: what a group holds a commit against. */
export interface CommitTerms {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Generation of the classic protocol, member epoch of the new one; -1 for neither. */
  readonly generation: number;
  /** By TxnOffsetCommit, as part of a transaction. */
  readonly transactional: boolean;
  /** Version of the request. */
  readonly version: number;
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}
