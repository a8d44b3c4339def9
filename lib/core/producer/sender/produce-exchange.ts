import { Produce } from '../../protocol/index.js';
import { KrafkaConnectionError, type Clock } from '../../support/index.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { Meter } from '../meter.js';
import type { SendingConfig } from '../options.js';
import type { Lane } from './broker-outbox.js';
import type { TransactionGate } from '../transactions/transaction-gate.js';
import type { Deliveries } from './deliveries.js';
import { UNACKNOWLEDGED, type ProduceResponse, type ProduceWave } from './produce-wave.js';

/** One Produce request after another, and what its answer means for each of its batches. */
export class ProduceExchange {
  readonly #config: Pick<SendingConfig, 'requestTimeoutMs'>;
  readonly #acks: number;
  readonly #gate: TransactionGate | undefined;
  readonly #clock: Clock;
  readonly #deliveries: Deliveries;
  readonly #meter: Meter;
  readonly #landed: () => void;

  constructor(options: {
    readonly config: Pick<SendingConfig, 'acks' | 'requestTimeoutMs'>;
    /** Undefined without transactions. */
    readonly gate: TransactionGate | undefined;
    readonly clock: Clock;
    readonly deliveries: Deliveries;
    readonly meter: Meter;
    /** A request was answered, or never will be: its lane has room again. */
    readonly landed: () => void;
  }) {
    this.#config = options.config;
    this.#acks = options.config.acks === 'all' ? -1 : options.config.acks;
    this.#gate = options.gate;
    this.#clock = options.clock;
    this.#deliveries = options.deliveries;
    this.#meter = options.meter;
    this.#landed = options.landed;
  }

  /** Sends a wave on its lane. Every batch of it is told an outcome, sooner or later. */
  send(lane: Lane, wave: ProduceWave, nowMs: number): void {
    for (const batch of wave.batches) {
      if (batch.attempts++ === 0) batch.firstSentAtMs = nowMs;
      batch.sentAtMs = nowMs;
      batch.sentAtLeaderEpoch = batch.queue.leaderEpoch;
      batch.state = 'inFlight';
      batch.queue.sent(batch, lane.connection);
    }
    this.#meter.requests++;
    lane.inFlight++;
    let answer: Promise<ProduceResponse | undefined>;
    try {
      answer = this.#request(lane, wave);
    } catch (error) {
      answer = Promise.reject(error);
    }
    answer.then(
      (response) => this.#answered(lane, wave, response),
      (error: unknown) => this.#unanswered(lane, wave, error as Error),
    );
  }

  /** The answer, or undefined where brokers give none. */
  #request(lane: Lane, wave: ProduceWave): Promise<ProduceResponse | undefined> {
    const { requestTimeoutMs } = this.#config;
    const maxVersion = lowest(wave.maxVersion, this.#gate?.maxProduceVersion);
    const options = { timeoutMs: requestTimeoutMs, ...(maxVersion === undefined ? {} : { maxVersion }) };
    const request = wave.request(this.#acks, requestTimeoutMs, this.#gate?.transactionalId ?? null);
    return this.#acks === 0
      ? lane.connection.sendRequest(Produce, request, { ...options, awaitResponse: false })
      : lane.connection.sendRequest(Produce, request, options);
  }

  #answered(lane: Lane, wave: ProduceWave, response: ProduceResponse | undefined): void {
    const nowMs = this.#clock.monotonic();
    lane.inFlight--;
    if (response === undefined) {
      for (const batch of wave.batches) this.#deliveries.answered(batch, UNACKNOWLEDGED, undefined, nowMs);
    } else {
      wave.match(response, (batch, answer) => {
        if (answer !== undefined) this.#deliveries.answered(batch, answer, response, nowMs);
        else this.#deliveries.unanswered(batch, leftOut(lane, batch), nowMs);
      });
    }
    this.#landed();
  }

  #unanswered(lane: Lane, wave: ProduceWave, error: Error): void {
    const nowMs = this.#clock.monotonic();
    lane.inFlight--;
    for (const batch of wave.batches) this.#deliveries.unanswered(batch, error, nowMs);
    this.#landed();
  }
}

const lowest = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);

function leftOut(lane: Lane, { queue }: ProducerBatch): KrafkaConnectionError {
  const what = `answered a Produce request without a word on topic '${queue.topic.name}' partition ${queue.partition}`;
  return new KrafkaConnectionError(lane.connection.address, what);
}
