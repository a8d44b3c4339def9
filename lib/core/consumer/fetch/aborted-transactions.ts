import { readControlRecord, type RecordBatch } from '../../protocol/index.js';

/** A transaction that was aborted, as a Fetch response tells of it. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * Tells which batches of one fetched piece belong to aborted transactions (KIP-98). The broker lists the transactions
 * that overlap the piece; one is over at its producer's abort marker, which may lie in a later piece, and a producer
 * may have aborted several. Batches must be shown in order.
 */
export class AbortedTransactions {
  readonly #ahead: readonly AbortedTransaction[];
  #begun = 0;
  readonly #open = new Set<number>();

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#ahead = [...transactions].toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether no record of the batch may be seen by a reader of committed records. */
  hides(batch: RecordBatch): boolean {
    const { header } = batch;
    for (let next = this.#ahead[this.#begun]; next !== undefined; next = this.#ahead[this.#begun]) {
      if (next.firstOffset > header.lastOffset) break;
      this.#open.add(next.producerId);
      this.#begun++;
    }
    if (header.isControl) {
      if (this.#open.has(header.producerId) && readControlRecord(batch)?.kind === 'abort') {
        this.#open.delete(header.producerId);
      }
      return true;
    }
    return header.isTransactional && this.#open.has(header.producerId);
  }
}
