import type { Producer, ProducerRecord } from '../../core/producer/index.js';
import { KrafkaSerializationError, type Ports } from '../../core/support/index.js';
import { isPromise, type Payloads } from '../wire/payloads.js';
import { encodeReply, UNKNOWN_ERROR, type ReplyAddress, type ReplyPacket } from '../wire/reply.js';

/** What replies need of the server they are sent from. */
export interface ReplyOutlet {
  readonly producer: Pick<Producer, 'send'>;
  readonly ports: Pick<Ports, 'logger'>;
  readonly payloads: Payloads;
}

/** How many replies may wait before a source that can be asked to wait is. */
const BACKLOG = 64;

/**
 * The replies to one request, in order. What is emitted in one turn goes out together, or at once when it is the last; what is
 * emitted while those are on their way goes out with the next wave; the end of the replies travels with the last one still
 * waiting, once all before it are acknowledged: replies of which one was lost end with an error, and never look complete.
 */
export class Replies {
  readonly #outlet: ReplyOutlet;
  readonly #address: ReplyAddress;
  readonly #waiting: ReplyPacket[] = [];
  /** What is on its way, until nothing waits any more. */
  #wave: Promise<void> | undefined;
  /** Whether a wave begins at the end of this turn. */
  #announced = false;
  #begun = false;
  #ended = false;
  /** Whether an error took the place of what could not be sent. */
  #refused = false;
  #onRefused: (() => void) | undefined;

  constructor(outlet: ReplyOutlet, address: ReplyAddress) {
    this.#outlet = outlet;
    this.#address = address;
  }

  /** Resolves once everything emitted so far has been sent, or could not be. Never rejects. */
  get settled(): Promise<void> {
    this.#begin();
    return this.#wave ?? Promise.resolve();
  }

  /** Undefined while there is room for another reply; else resolves when there is. Whoever pulls from a source asks before. */
  get room(): Promise<void> | undefined {
    if (this.#waiting.length < BACKLOG) return undefined;
    this.#begin();
    return this.#wave;
  }

  /** True once there was a reply of whatever kind. */
  get begun(): boolean {
    return this.#begun;
  }

  /** True once the last reply or an error was given: what comes after that is dropped. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Called when a reply could not be sent and the request is answered with an error: its source may stop. */
  onRefused(callback: () => void): void {
    this.#onRefused = callback;
  }

  /** One more reply. */
  next(response: unknown): void {
    this.#add({ response, hasValue: true, isDisposed: false });
  }

  /** The only or last reply. */
  last(response: unknown): void {
    this.#add({ response, hasValue: true, isDisposed: true });
  }

  /** No more replies. */
  complete(): void {
    const last = this.#waiting.at(-1);
    if (last === undefined || this.#ended) this.#add({ hasValue: false, isDisposed: true });
    else {
      last.isDisposed = true;
      this.#ended = true;
      this.#begin();
    }
  }

  /** An error in place of further replies. */
  fail(error: unknown): void {
    this.#add({ err: error ?? UNKNOWN_ERROR, hasValue: false, isDisposed: true });
  }

  #add(packet: ReplyPacket): void {
    if (this.#ended) return;
    this.#begun = true;
    this.#ended = packet.isDisposed;
    this.#waiting.push(packet);
    if (this.#wave !== undefined || this.#announced) return;
    this.#announced = true;
    // Nothing follows the last one: it need not wait for the turn to end.
    if (this.#ended) this.#begin();
    else process.nextTick(() => this.#begin());
  }

  #begin(): void {
    if (!this.#announced) return;
    this.#announced = false;
    this.#wave = this.#flush();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const wave = this.#waiting.splice(0, this.#nextWave);
      // Each begins to be sent in its turn, so that they arrive in order however long one takes to be encoded.
      const sendings: Promise<void>[] = [];
      for (const packet of wave) {
        const encoding = this.#encode(packet);
        const record = isPromise(encoding) ? await encoding : encoding;
        // After a reply that could not be encoded goes nothing but the error in its place.
        if (record === undefined) break;
        sendings.push(this.#send(packet, record));
      }
      await (sendings.length === 1 ? sendings[0] : Promise.all(sendings));
    }
    this.#wave = undefined;
  }

  /** How many of those waiting may leave together. */
  get #nextWave(): number {
    const { length } = this.#waiting;
    const last = this.#waiting[length - 1] as ReplyPacket;
    // An end says that all before it is there. An error says no such thing.
    return length > 1 && last.isDisposed && last.err === undefined ? length - 1 : length;
  }

  async #send(packet: ReplyPacket, record: ProducerRecord): Promise<void> {
    try {
      await this.#outlet.producer.send(record, { immediate: true });
    } catch (error) {
      this.#failed(packet, error);
    }
  }

  #encode(packet: ReplyPacket): ProducerRecord | undefined | Promise<ProducerRecord | undefined> {
    try {
      const record = encodeReply(packet, this.#address, this.#outlet.payloads);
      if (!isPromise(record)) return record;
      return record.catch((error: unknown): undefined => this.#unencoded(error));
    } catch (error) {
      return this.#unencoded(error);
    }
  }

  #unencoded(error: unknown): undefined {
    this.#refuse(error instanceof Error ? error : new KrafkaSerializationError(String(error), error));
    return undefined;
  }

  #failed(packet: ReplyPacket, error: unknown): void {
    if (packet.err === undefined) this.#refuse(error instanceof Error ? error : new Error(String(error)));
    else this.#outlet.ports.logger.error('a reply was not sent', { topic: this.#address.topic, error });
  }

  // The caller must neither wait for what was not sent, nor take the rest for all.
  #refuse(error: Error): void {
    // Others of its wave may share its fate.
    if (this.#refused) return;
    this.#refused = true;
    this.#outlet.ports.logger.error('a reply was answered with an error in its place', {
      topic: this.#address.topic,
      error,
    });
    this.#waiting.length = 0;
    this.#ended = true;
    this.#waiting.push({ err: { status: 'error', message: error.message }, hasValue: false, isDisposed: true });
    try {
      this.#onRefused?.();
    } catch (failure) {
      this.#outlet.ports.logger.error('the source of refused replies could not be stopped', { error: failure });
    }
  }
}
