import type { Consumer, ManualAssignment, RecordHandler } from '../../core/consumer/index.js';
import { KrafkaClosedError } from '../../core/support/index.js';
import type { ClientSettings } from '../options.js';
import type { SharedKrafka } from '../shared-krafka.js';

/**
 * Where the replies to one client arrive: a partition of each reply topic, assigned directly. There is no group, so it is
 * ready at once and no other client's coming or going touches it; clients may share a partition.
 */
export class ReplyInbox {
  readonly #shared: SharedKrafka;
  readonly #settings: ClientSettings['replyTopics'];
  readonly #onReply: RecordHandler;
  readonly #onCrash: (error: Error) => void;
  readonly #ready = new Map<string, number>();
  readonly #opening = new Map<string, Promise<number>>();
  #consumer: Consumer | undefined;
  #closed = false;
  /** Partitions are added one after the other: each addition names those before it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    shared: SharedKrafka,
    settings: ClientSettings['replyTopics'],
    receiver: { readonly onReply: RecordHandler; readonly onCrash: (error: Error) => void },
  ) {
    this.#shared = shared;
    this.#settings = settings;
    this.#onReply = receiver.onReply;
    this.#onCrash = receiver.onCrash;
  }

  /** The partition of a reply topic that is read already. Waits for nothing. */
  partitionOf(topic: string): number | undefined {
    return this.#ready.get(topic);
  }

  /**
   * Reads a partition of the reply topic from here on, and answers with its number. A missing topic is created, unless that is
   * refused. What is known of the topic of the requests is asked for beside it.
   */
  open(topic: string, requests: string): Promise<number> {
    let opening = this.#opening.get(topic);
    if (opening === undefined) {
      opening = this.#open(topic, requests);
      this.#opening.set(topic, opening);
      // The next request tries again.
      opening.catch(() => this.#opening.delete(topic));
    }
    return opening;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ready.clear();
    this.#opening.clear();
    await this.#consumer?.close();
  }

  async #open(topic: string, requests: string): Promise<number> {
    const { create, ...declaration } = this.#settings;
    const partitions = await this.#shared.topics.ensure({ name: topic, ...declaration }, create, [requests]);
    const partition = Math.floor(this.#shared.ports.random.next() * partitions);
    const turn = this.#turn.then(() => this.#read(topic, partition));
    this.#turn = turn.catch(() => undefined);
    await turn;
    return partition;
  }

  async #read(topic: string, partition: number): Promise<void> {
    if (this.#closed) throw new KrafkaClosedError('the KrafkaClient');
    const added: ManualAssignment = { topic, partition, offset: 'latest' };
    await (this.#consumer === undefined ? this.#begin(added) : this.#add(this.#consumer, added));
    this.#ready.set(topic, partition);
  }

  async #begin(added: ManualAssignment): Promise<void> {
    const consumer = this.#shared.consumer({ assignments: [added] });
    // Known from here on, so that closing meanwhile closes it.
    this.#consumer = consumer;
    try {
      await consumer.start();
    } catch (error) {
      this.#consumer = undefined;
      await consumer.close({ timeoutMs: 0 });
      throw error;
    }
    consumer.run({ eachRecord: this.#onReply }).catch((error: Error) => this.#onCrash(error));
  }

  async #add(consumer: Consumer, added: ManualAssignment): Promise<void> {
    // What is ready, not what the consumer has: that may be what is left of an addition that failed.
    const before = Array.from(this.#ready, ([topic, partition]): ManualAssignment => ({ topic, partition }));
    try {
      await consumer.assign([...before, added]);
      // Resolves when the position is known: a reply that comes from then on is not missed.
      await consumer.seek(added, 'latest');
    } catch (error) {
      // Else it would be read for nobody.
      await consumer.assign(before).catch((problem: unknown) => {
        this.#shared.ports.logger.debug('a reply partition was not given up again', {
          topic: added.topic,
          error: problem,
        });
      });
      throw error;
    }
  }
}
