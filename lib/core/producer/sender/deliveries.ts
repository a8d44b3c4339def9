import { protocolError } from '../../protocol/index.js';
import type { Cluster } from '../../cluster/index.js';
import {
  backoffMs,
  KrafkaClosedError,
  KrafkaError,
  KrafkaTimeoutError,
  type Random,
  type TypedEvents,
} from '../../support/index.js';
import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { RecordAccumulator } from '../accumulator/record-accumulator.js';
import type { BatchProgress, ProducerEvents } from '../events.js';
import type { Meter } from '../meter.js';
import { MAX_RETRY_BACKOFF_MS } from '../options.js';
import type { BatchAnswer, ProduceResponse } from './produce-wave.js';
import { judge, type JudgedBatch } from './verdict.js';

/** What deliveries need of the rest of the producer. */
export interface DeliveryPorts {
  readonly accumulator: RecordAccumulator;
  readonly cluster: Pick<Cluster, 'leaderMoved' | 'suspect'>;
  readonly random: Random;
  readonly events: TypedEvents<ProducerEvents>;
  readonly meter: Meter;
  readonly deliveryTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly isTransactional: boolean;
  /** Why nothing is sent again, while that is so. */
  readonly givingUp: () => KrafkaError | undefined;
  /** The queue may have something to send again. */
  readonly changed: (queue: PartitionQueue) => void;
  /** A batch was settled out of any answer's course: its memory is free. */
  readonly freed: () => void;
}

/**
 * What becomes of batches that were sent, or that ran out of time: settled, sent again, or cut in two. A batch is settled
 * once; an answer that comes afterwards still tells its partition's sequence what was written.
 */
export class Deliveries {
  readonly #ports: DeliveryPorts;

  constructor(ports: DeliveryPorts) {
    this.#ports = ports;
  }

  /** A broker answered for the batch; `response` is the whole it came with. */
  answered(batch: ProducerBatch, answer: BatchAnswer, response: ProduceResponse | undefined, nowMs: number): void {
    const { queue } = batch;
    queue.landed(batch);
    const judged: JudgedBatch = {
      recordCount: batch.recordCount,
      stamped: batch.baseSequence >= 0,
      oldest: queue.unresolved[0] === batch,
      ambiguous: batch.ambiguous,
      pieceOfAmbiguous: batch.pieceOfAmbiguous,
      transactional: this.#ports.isTransactional,
    };
    const verdict = judge(answer.errorCode, judged);
    if (verdict.kind === 'written') {
      this.#written(batch, answer, verdict.duplicate, nowMs);
    } else {
      let leaderIsNews = false;
      if (verdict.kind !== 'split') {
        batch.ambiguous ||= verdict.ambiguous;
        if (verdict.stale) {
          this.#hearLeader(queue, answer, response);
          leaderIsNews = queue.leader >= 0 && queue.leaderEpoch !== batch.sentAtLeaderEpoch;
          if (!leaderIsNews) this.#ports.cluster.suspect(queue.topic.name, queue.partition);
        }
      }
      if (batch.state === 'settled') {
        this.#abandon(batch);
      } else if (verdict.kind === 'retry') {
        // A refusal from before the last ghost went says nothing of what that one did.
        if (verdict.restart && !queue.isHaunted(batch.sentAtMs)) queue.sequences.demandRestart();
        this.#retry(batch, errorOf(batch, answer), leaderIsNews ? 0 : this.#backoffMs(batch), nowMs);
      } else if (verdict.kind === 'split') {
        this.#split(batch, errorOf(batch, answer));
      } else {
        this.#fail(batch, errorOf(batch, answer), answer);
      }
    }
    this.#ports.changed(queue);
  }

  /** The attempt ended without an answer. It may have been written all the same, unless the error says it never left. */
  unanswered(batch: ProducerBatch, error: Error, nowMs: number): void {
    const { queue } = batch;
    queue.landed(batch);
    if (!neverLeft(error)) {
      batch.ambiguous = true;
      batch.ghostUntilMs = nowMs + this.#ports.requestTimeoutMs;
    }
    if (batch.state === 'settled') {
      this.#abandon(batch);
    } else if (mayHelpToTryAgain(error)) {
      this.#ports.cluster.suspect(queue.topic.name, queue.partition);
      this.#retry(batch, error, this.#backoffMs(batch), nowMs);
    } else {
      this.#fail(batch, error);
    }
    this.#ports.changed(queue);
  }

  /** `deliveryTimeoutMs` has passed since its first record came. */
  expire(batch: ProducerBatch): void {
    const { topic, partition } = batch.queue;
    const tries = batch.attempts === 0 ? 'never sent' : `sent ${batch.attempts} time${batch.attempts === 1 ? '' : 's'}`;
    const error = new KrafkaTimeoutError({
      budget: 'deliveryTimeoutMs',
      budgetMs: this.#ports.deliveryTimeoutMs,
      waitedFor: `${batch.recordCount} records to be written to topic '${topic.name}' partition ${partition}, ${tries}`,
      cause: batch.lastError,
    });
    this.drop(batch, error);
  }

  /** Fails a batch wherever it is. On the wire, its fate is settled with the partition's sequence when it lands. */
  drop(batch: ProducerBatch, error: Error): void {
    batch.queue.withdraw(batch);
    this.#fail(batch, error);
    this.#ports.changed(batch.queue);
  }

  #written(batch: ProducerBatch, answer: BatchAnswer, duplicate: boolean, nowMs: number): void {
    const { queue } = batch;
    const { accumulator, meter, events } = this.#ports;
    if (batch.baseSequence >= 0) {
      queue.sequences.acknowledged(batch.identity, batch.baseSequence, batch.recordCount, nowMs);
    }
    queue.resolve(batch);
    if (batch.state === 'settled') return;
    if (duplicate) meter.duplicates++;
    meter.delivered(batch);
    if (events.has('delivered')) {
      events.emit('delivered', { ...progressOf(batch), baseOffset: duplicate ? -1 : answer.baseOffset });
    }
    accumulator.remove(batch);
    batch.settlements.acknowledge(
      queue.topic.name,
      queue.partition,
      duplicate ? -1 : answer.baseOffset,
      answer.logAppendTimeMs,
    );
    batch.passBarriers();
  }

  #retry(batch: ProducerBatch, error: Error, afterMs: number, nowMs: number): void {
    const givingUp = this.#ports.givingUp();
    if (givingUp !== undefined) {
      this.#fail(batch, givingUp);
      return;
    }
    batch.state = 'ready';
    batch.lastError = error;
    batch.retryAtMs = nowMs + afterMs;
    batch.queue.requeue(batch);
    this.#ports.meter.retries++;
    if (this.#ports.events.has('retrying')) {
      this.#ports.events.emit('retrying', { ...progressOf(batch), error, afterMs });
    }
  }

  #fail(batch: ProducerBatch, error: Error, answer?: BatchAnswer): void {
    const { accumulator, meter, events } = this.#ports;
    if (!batch.onWire) this.#abandon(batch);
    meter.failed(batch);
    // A transaction that fails is aborted, whatever of it was written.
    const doubtful = batch.ambiguous && !this.#ports.isTransactional && !leavesOutcomeOpen(error);
    const told = doubtful ? outcomeUnknown(batch, error) : error;
    if (events.has('failed')) events.emit('failed', { ...progressOf(batch), error: told });
    accumulator.remove(batch);
    const refusals = doubtful ? undefined : answer?.recordErrors;
    const refused = new Map(refusals?.map((one) => [one.batchIndex, one.batchIndexErrorMessage]));
    batch.settlements.fail((index) => errorOfRecord(batch, told, answer, refused, index));
    batch.passBarriers();
  }

  /** It leaves its partition's sequence without an acknowledgement. */
  #abandon(batch: ProducerBatch): void {
    if (!batch.unresolved) return;
    const { queue } = batch;
    if (batch.baseSequence >= 0) {
      const fate = batch.ambiguous ? 'unknown' : 'unwritten';
      queue.sequences.abandoned(batch.identity, batch.baseSequence, batch.recordCount, fate);
    }
    queue.resolve(batch);
  }

  /** The broker refused it as a whole, so its sequence numbers go to its pieces, and its place in the queue too. */
  #split(batch: ProducerBatch, error: Error): void {
    const givingUp = this.#ports.givingUp();
    if (givingUp !== undefined) {
      this.#fail(batch, givingUp);
      return;
    }
    const { queue } = batch;
    const { accumulator, meter, events } = this.#ports;
    batch.lastError = error;
    batch.state = 'compressing';
    queue.requeue(batch);
    batch.cut().then(
      (builders) => {
        if (batch.state === 'settled') return;
        meter.splits++;
        if (events.has('split')) events.emit('split', { ...progressOf(batch), into: 2 });
        const halves = batch.halves(builders);
        queue.withdraw(batch);
        queue.replace(batch, halves);
        batch.state = 'ready';
        accumulator.remove(batch);
        batch.passBarriers();
        queue.topic.compressedTo(1);
        for (const half of halves) {
          accumulator.adopt(half);
          accumulator.compress(half);
        }
        this.#ports.changed(queue);
      },
      (cause: unknown) => {
        // What can't be read back can't be split: the broker's refusal stands.
        if (batch.state === 'settled') return;
        this.drop(batch, withCause(error, cause));
        this.#ports.freed();
      },
    );
  }

  /** The new leader, where the answer tells of one (KIP-951). */
  #hearLeader({ topic, partition }: PartitionQueue, answer: BatchAnswer, response: ProduceResponse | undefined): void {
    const { leaderId, leaderEpoch } = answer.currentLeader;
    if (leaderId < 0 || leaderEpoch < 0) return;
    const node = response?.nodeEndpoints.find(({ nodeId }) => nodeId === leaderId);
    this.#ports.cluster.leaderMoved({ topic: topic.name, partition, leaderId, leaderEpoch, node });
  }

  #backoffMs(batch: ProducerBatch): number {
    const backoff = { baseMs: this.#ports.retryBackoffMs, capMs: MAX_RETRY_BACKOFF_MS };
    return backoffMs(backoff, batch.attempts, this.#ports.random);
  }
}

/** A connection that broke, an answer too late or not to be understood: whether it was written is anybody's guess. */
function mayHelpToTryAgain(error: Error): boolean {
  return error instanceof KrafkaError && (error.retriable || error.code === 'MALFORMED');
}

/** Whether a request that ended so was given up before anything of it was written. */
function neverLeft(error: Error): boolean {
  return !(error instanceof KrafkaError) || error.code === 'UNSUPPORTED_VERSION';
}

/** Whoever is told that time ran out, or that the producer was closed, is not told that nothing was written. */
function leavesOutcomeOpen(error: Error): boolean {
  return error instanceof KrafkaTimeoutError || error instanceof KrafkaClosedError;
}

/** What ends the batch is no word on the attempt before, whose answer was lost or told nothing. */
function outcomeUnknown(batch: ProducerBatch, cause: Error): KrafkaError {
  const { topic, partition } = batch.queue;
  const what = `${batch.recordCount} records for topic '${topic.name}' partition ${partition} may have been written, or not`;
  return new KrafkaError(`${what}: ${cause.message}`, { code: 'OUTCOME_UNKNOWN', cause });
}

function errorOf(batch: ProducerBatch, answer: BatchAnswer): KrafkaError {
  return protocolError(answer.errorCode, {
    api: 'Produce',
    topic: batch.queue.topic.name,
    partition: batch.queue.partition,
    ...(answer.errorMessage === null ? {} : { detail: answer.errorMessage }),
  });
}

/** A broker that looked at the records may blame some of them (KIP-467): the others are told that they were not to blame. */
function errorOfRecord(
  batch: ProducerBatch,
  error: Error,
  answer: BatchAnswer | undefined,
  refused: ReadonlyMap<number, string | null>,
  index: number,
): Error {
  if (answer === undefined || refused.size === 0) return error;
  const own = refused.get(index);
  if (own === undefined) {
    const detail = 'not because of this record, but of another one in its batch';
    return errorOf(batch, { ...answer, errorMessage: detail });
  }
  return own === null ? error : errorOf(batch, { ...answer, errorMessage: own });
}

function withCause(error: Error, cause: unknown): Error {
  error.cause ??= cause;
  return error;
}

function progressOf(batch: ProducerBatch): BatchProgress {
  return {
    topic: batch.queue.topic.name,
    partition: batch.queue.partition,
    records: batch.recordCount,
    bytes: batch.sizeInBytes,
    attempts: batch.attempts,
  };
}
