import type { ConnectionStats } from './connection-stats.js';
import { RequestPriority } from './request-priority.js';

/** What went over one connection so far. */
export class TrafficCounts {
  #highPriorityCount = 0;
  #normalPriorityCount = 0;
  #bypassCount = 0;
  #responseCount = 0;
  #bytesSent = 0;
  #bytesReceived = 0;

  requestSent(priority: RequestPriority): void {
    if (priority === RequestPriority.High) this.#highPriorityCount++;
    else this.#normalPriorityCount++;
  }

  channelsBypassed(): void {
    this.#bypassCount++;
  }

  responseCame(): void {
    this.#responseCount++;
  }

  bytesWereSent(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) this.#bytesSent += chunk.length;
  }

  bytesWereReceived(count: number): void {
    this.#bytesReceived += count;
  }

  /** The counts, beside what is the case right now. */
  stats(now: Pick<ConnectionStats, 'inFlight' | 'queued' | 'waiting' | 'throttledMs'>): ConnectionStats {
    return {
      highPriorityCount: this.#highPriorityCount,
      normalPriorityCount: this.#normalPriorityCount,
      bypassCount: this.#bypassCount,
      responseCount: this.#responseCount,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      ...now,
    };
  }
}
