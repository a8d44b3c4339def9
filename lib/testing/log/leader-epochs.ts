/** Where an epoch ends in a log, as OffsetForLeaderEpoch and a diverging fetch tell it (KIP-101, KIP-320). */
export interface EpochEnd {
  /** -1 when the log knows nothing of the epoch asked for. */
  readonly epoch: number;
  readonly endOffset: number;
}

/** Which leader epoch wrote which offsets of one log. */
export class LeaderEpochs {
  #starts: { readonly epoch: number; readonly startOffset: number }[] = [{ epoch: 0, startOffset: 0 }];

  /** From `startOffset` on the log is written by `epoch`. An epoch that wrote nothing keeps no place. */
  begin(epoch: number, startOffset: number): void {
    this.#starts = this.#starts.filter((entry) => entry.startOffset < startOffset);
    this.#starts.push({ epoch, startOffset });
  }

  truncate(endOffset: number): void {
    this.#starts = this.#starts.filter((entry) => entry.startOffset < endOffset);
  }

  /** The epoch that wrote `offset`; -1 below the first. */
  epochAt(offset: number): number {
    return this.#starts.findLast((entry) => entry.startOffset <= offset)?.epoch ?? -1;
  }

  /** The largest epoch at or below `epoch`, and where the next one begins; `endOffset` is the end of the log. */
  endOf(epoch: number, endOffset: number): EpochEnd {
    const latest = this.#starts.at(-1);
    if (latest === undefined || epoch < 0 || epoch > latest.epoch) return { epoch: -1, endOffset: -1 };
    if (epoch === latest.epoch) return { epoch, endOffset };
    const next = this.#starts.find((entry) => entry.epoch > epoch) ?? latest;
    const floor = this.#starts.findLast((entry) => entry.epoch <= epoch);
    return { epoch: floor?.epoch ?? epoch, endOffset: next.startOffset };
  }
}
