import { encodeRequestFrame } from '../protocol/index.js';
import {
  Deferred,
  KrafkaClosedError,
  KrafkaConnectionError,
  KrafkaProtocolError,
  type Clock,
  type KrafkaError,
} from '../support/index.js';
import { Alarm } from './alarm.js';
import { readAnswer } from './answer.js';
import { throttleOf } from './client-throttle.js';
import type { ConnectionConfig } from './connection-config.js';
import type { ConnectionStats } from './connection-stats.js';
import type { ByteStream } from './dialer.js';
import type { FrameSink } from './frame-reader.js';
import { InFlightRequests } from './in-flight-requests.js';
import type { PendingRequest, RequestOwner } from './pending-request.js';
import type { RequestPriority } from './request-priority.js';
import { RequestQueue } from './request-queue.js';
import { Silence } from './silence.js';
import { TrafficCounts } from './traffic-counts.js';

/** Who a {@link RequestPipeline} works for. */
export interface PipelineOwner {
  /** Nothing can be sent or read any more. The pipeline waits to be closed. */
  onFault(error: KrafkaError): void;
  /** No request for all of `idleTimeoutMs`. */
  onIdle(): void;
  /** A request would leave, but the time set by {@link RequestPipeline.renewAt} is over. */
  onRenewalDue(): void;
}

/**
 * What leaves one connection, in which order, and whose answer is whose.
 *
 * ```
 *            high  (64)  ─┐
 *   submit ─►             ├─► one request at a time ─► stream ─► frame ─► the oldest in flight ─► decoded ─► caller
 *            normal (256)─┘        (window of 5)
 * ```
 *
 * The stream is given one request at a time: while it has not taken all of one, none follows, so that whatever becomes
 * urgent meanwhile leaves next. High-priority requests leave first, and have {@link HIGH_PRIORITY_RESERVE} places of
 * their own in flight; while one of them waits no normal one leaves. With nothing before it a request is written at
 * once (a bypass).
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export class RequestPipeline implements FrameSink, RequestOwner {
  readonly #address: string;
  readonly #config: ConnectionConfig;
  readonly #clock: Clock;
  readonly #owner: PipelineOwner;
  readonly #queue: RequestQueue<PendingRequest>;
  readonly #inFlight: InFlightRequests;
  readonly #alarm: Alarm;
  readonly #counts = new TrafficCounts();
  readonly #silence = new Silence();
  /** `held`: only exchanges are written; `flowing`: everything. */
  #state: 'held' | 'flowing' | 'closed' = 'held';
  #stream: ByteStream | undefined;
  /** True while the stream has not taken all of the last request. */
  #blocked = false;
  /** The unanswered kind of request that the stream has not taken all of. */
  #leaving: PendingRequest | undefined;
  #renewAt = Infinity;
  #lastUsedAt: number;
  #nextCorrelationId = 0;
  #quiet: Deferred<void> | undefined;
  #empty: Deferred<void> | undefined;

  constructor(address: string, config: ConnectionConfig, clock: Clock, owner: PipelineOwner) {
    this.#address = address;
    this.#config = config;
    this.#clock = clock;
    this.#owner = owner;
    this.#queue = new RequestQueue(config.highPriorityChannelCapacity, config.normalPriorityChannelCapacity);
    this.#inFlight = new InFlightRequests(config.maxInFlight);
    this.#alarm = new Alarm(clock, () => this.#onAlarm());
    this.#lastUsedAt = clock.monotonic();
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** From this time of the monotonic clock on nothing leaves until the owner has renewed what it must. */
  set renewAt(time: number) {
    this.#renewAt = time;
  }

  attach(stream: ByteStream): void {
    this.#stream = stream;
  }

  /** Lets requests leave. */
  flow(): void {
    if (this.#state !== 'held') return;
    this.#state = 'flowing';
    this.#lastUsedAt = this.#clock.monotonic();
    this.#pump();
    this.#setAlarm();
    // What waited may have left for good: it wants no answer, or its time was over.
    this.#noteProgress();
  }

  /** Lets nothing but exchanges leave, and resolves when nothing is in flight and the broker reads again (KIP-219). */
  async hold(): Promise<void> {
    if (this.#state === 'flowing') this.#state = 'held';
    if (this.#isQuiet && !this.#isMuted) return;
    this.#quiet ??= new Deferred();
    await this.#quiet.promise;
  }

  /** Resolves when everything submitted is settled, or the pipeline closed. */
  async drain(): Promise<void> {
    if (this.#isEmpty) return;
    this.#empty ??= new Deferred();
    await this.#empty.promise;
  }

  /** Writes a request at once, before and beside everything that waits: how a connection is opened and renewed. */
  exchange(request: PendingRequest): Promise<unknown> {
    request.isExchange = true;
    if (this.#state === 'closed') request.reject(new KrafkaClosedError(`the connection to ${this.#address}`));
    else this.#write(request, this.#clock.monotonic());
    return request.promise;
  }

  /** Sends a request in its turn. */
  submit(request: PendingRequest): Promise<unknown> {
    const refusal = request.refusal();
    if (refusal !== undefined) {
      request.reject(refusal);
      return request.promise;
    }
    const now = this.#clock.monotonic();
    if (this.#queue.isEmpty && this.#mayWrite(request.priority, now)) {
      this.#counts.channelsBypassed();
      this.#send(request, now);
      return request.promise;
    }
    request.expiresAt = now + Math.min(request.timeoutMs, request.deadline?.remainingMs ?? Infinity);
    this.#queue.push(request);
    this.#alarm.by(request.expiresAt);
    this.#pump();
    return request.promise;
  }

  /** The caller has given a request up. */
  onAbort(request: PendingRequest): void {
    if (request.state === 'waiting') {
      this.#queue.remove(request);
      request.abort();
      this.#pump();
      this.#noteProgress();
    } else {
      request.abort();
    }
  }

  /** The stream has taken all of what it was given. */
  onDrained(): void {
    if (this.#state === 'closed') return;
    this.#blocked = false;
    const left = this.#leaving;
    this.#leaving = undefined;
    left?.resolve(undefined);
    this.#pump();
    this.#noteProgress();
  }

  onFrame(frame: Buffer): void {
    if (this.#state === 'closed') return;
    this.#counts.bytesWereReceived(frame.length + 4);
    const request = this.#inFlight.shift();
    if (request === undefined) {
      this.#owner.onFault(
        new KrafkaProtocolError('MALFORMED', 'an answer came that nobody had asked for', { address: this.#address }),
      );
      return;
    }
    let answer: unknown;
    try {
      // Whoever still waits for it: it may ask for silence.
      answer = readAnswer(frame, request, this.#address);
    } catch (error) {
      request.reject(error);
      this.#owner.onFault(error as KrafkaError);
      return;
    }
    if (!request.isExchange) this.#counts.responseCame();
    const silence = throttleOf(request.api, request.version, answer);
    if (silence > 0) this.#mute(silence);
    request.resolve(answer);
    this.#pump();
    this.#noteProgress();
  }

  /** Ends everything: the oldest in flight is given `forOldest`, everybody else `forOthers`. How many there were. */
  close(forOthers: KrafkaError, forOldest: KrafkaError = forOthers): number {
    if (this.#state === 'closed') return 0;
    this.#state = 'closed';
    this.#alarm.cancel();
    this.#stream?.destroy();
    let abandoned = 0;
    const abandon = (request: PendingRequest, error: KrafkaError): void => {
      if (request.state !== 'settled') abandoned++;
      request.reject(error);
    };
    let error = forOldest;
    for (let request = this.#inFlight.shift(); request !== undefined; request = this.#inFlight.shift()) {
      abandon(request, error);
      error = forOthers;
    }
    if (this.#leaving !== undefined) abandon(this.#leaving, forOthers);
    for (const request of this.#queue) {
      this.#queue.remove(request);
      abandon(request, forOthers);
    }
    this.#noteProgress();
    return abandoned;
  }

  stats(): ConnectionStats {
    return this.#counts.stats({
      inFlight: this.#inFlight.length,
      queued: this.#queue.queued,
      waiting: this.#queue.waiting,
      throttledMs: this.#silence.totalMs,
    });
  }

  get #isQuiet(): boolean {
    return this.#state === 'closed' || (this.#inFlight.length === 0 && !this.#blocked);
  }

  get #isMuted(): boolean {
    return this.#state !== 'closed' && this.#clock.monotonic() < this.#silence.until;
  }

  get #isEmpty(): boolean {
    return this.#state === 'closed' || (this.#isQuiet && this.#queue.isEmpty);
  }

  #mayWrite(priority: RequestPriority, now: number): boolean {
    return (
      this.#state === 'flowing' &&
      !this.#blocked &&
      this.#inFlight.hasRoomFor(priority) &&
      now >= this.#silence.until &&
      now < this.#renewAt
    );
  }

  /** Writes from the channels whatever may leave. */
  #pump(): void {
    if (this.#state === 'closed') return;
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      const now = this.#clock.monotonic();
      if (!this.#mayWrite(next.priority, now)) {
        if (now < this.#silence.until) this.#alarm.by(this.#silence.until);
        else if (this.#state === 'flowing' && now >= this.#renewAt) this.#owner.onRenewalDue();
        return;
      }
      this.#queue.remove(next);
      if (next.expiresAt <= now) next.reject(this.#waitedInVain(next, 0));
      else this.#send(next, now);
    }
  }

  #send(request: PendingRequest, now: number): void {
    this.#counts.requestSent(request.priority);
    this.#write(request, now);
  }

  #write(request: PendingRequest, now: number): void {
    const correlationId = this.#nextCorrelationId;
    let chunks: Buffer[];
    try {
      chunks = encodeRequestFrame(request.api, request.version, correlationId, this.#config.clientId, request.request);
    } catch (error) {
      request.reject(error);
      return;
    }
    this.#nextCorrelationId = (correlationId + 1) & 0x7fffffff;
    this.#counts.bytesWereSent(chunks);
    this.#lastUsedAt = now;
    request.state = 'in flight';
    request.correlationId = correlationId;
    request.expiresAt = now + request.timeoutMs;
    if (request.deadline !== undefined) request.deadlineAt = now + request.deadline.remainingMs;
    this.#alarm.by(Math.min(request.expiresAt, request.deadlineAt));
    if (request.awaitResponse) this.#inFlight.push(request);
    const allLeft = this.#stream?.write(chunks) ?? false;
    if (!allLeft) {
      this.#blocked = true;
      if (!request.awaitResponse) this.#leaving = request;
    } else if (!request.awaitResponse) {
      request.resolve(undefined);
    }
  }

  /** KIP-219: the broker reads nothing from this connection for a while, heartbeats included, and so nothing is sent. */
  #mute(silenceMs: number): void {
    const added = this.#silence.extend(this.#clock.monotonic(), silenceMs);
    // What is under way is not read before that either: it has that much longer to be answered.
    for (const request of this.#inFlight) request.expiresAt += added;
  }

  #onAlarm(): void {
    const now = this.#clock.monotonic();
    for (const request of this.#written()) {
      if (request.expiresAt <= now) {
        // A process that was stopped or busy for long finds its timers due first: what has come meanwhile is read before.
        this.#clock.endOfTurn(() => this.#sweep());
        return;
      }
    }
    this.#sweep();
  }

  /** Settles what has waited too long. */
  #sweep(): void {
    if (this.#state === 'closed') return;
    const now = this.#clock.monotonic();
    for (const request of this.#written()) {
      if (request.expiresAt <= now) {
        this.#onUnanswered(request);
        return;
      }
      if (request.deadlineAt <= now) {
        request.deadlineAt = Infinity;
        request.reject(request.deadline?.error(`the answer to ${request.api.name} from ${this.#address}`));
      }
    }
    const place = { high: 0, normal: 0 };
    for (const request of this.#queue) {
      const index = place[request.priority]++;
      if (request.expiresAt > now) continue;
      this.#queue.remove(request);
      request.reject(this.#waitedInVain(request, index));
    }
    this.#pump();
    this.#noteProgress();
    const idleTimeoutMs = this.#config.idleTimeoutMs;
    if (idleTimeoutMs > 0 && this.#state === 'flowing' && this.#isEmpty && now >= this.#lastUsedAt + idleTimeoutMs) {
      this.#owner.onIdle();
      return;
    }
    this.#setAlarm();
  }

  /** Nobody knows what the broker makes of a request that it does not answer, nor of those behind it. */
  #onUnanswered(request: PendingRequest): void {
    const what = request.awaitResponse ? 'the answer to' : 'the socket to take';
    const error = request.timeout(`${what} ${request.api.name} from ${this.#address}`);
    request.reject(error);
    this.#owner.onFault(
      new KrafkaConnectionError(this.#address, `closed, because ${request.api.name} was not answered in time`, {
        cause: error,
      }),
    );
  }

  #waitedInVain(request: PendingRequest, index: number): KrafkaError {
    const { api, deadline, priority } = request;
    const capacity = this.#queue.capacityOf(priority);
    const obstacle =
      this.#clock.monotonic() < this.#silence.until
        ? 'the broker has asked for silence'
        : index < capacity
          ? `${this.#inFlight.length} requests are in flight`
          : `the ${priority}-priority channel's ${capacity} places are taken`;
    const waitedFor = `${api.name} to be sent to ${this.#address}: ${obstacle}`;
    return deadline?.expired ? deadline.error(waitedFor) : request.timeout(waitedFor);
  }

  /** Sets the alarm for the next thing that becomes due. */
  #setAlarm(): void {
    if (this.#state === 'closed') return;
    let due = Infinity;
    for (const request of this.#written()) due = Math.min(due, request.expiresAt, request.deadlineAt);
    for (const request of this.#queue) due = Math.min(due, request.expiresAt);
    if (!this.#queue.isEmpty && this.#silence.until > this.#clock.monotonic()) due = Math.min(due, this.#silence.until);
    if (due === Infinity && this.#config.idleTimeoutMs > 0 && this.#state === 'flowing') {
      due = this.#lastUsedAt + this.#config.idleTimeoutMs;
    }
    this.#alarm.by(due);
  }

  *#written(): Iterable<PendingRequest> {
    yield* this.#inFlight;
    if (this.#leaving !== undefined) yield this.#leaving;
  }

  #noteProgress(): void {
    if (this.#quiet !== undefined && this.#isQuiet) {
      if (this.#isMuted) {
        this.#alarm.by(this.#silence.until);
      } else {
        this.#quiet.resolve();
        this.#quiet = undefined;
      }
    }
    if (this.#empty !== undefined && this.#isEmpty) {
      this.#empty.resolve();
      this.#empty = undefined;
    }
  }
}
