import { Krafka, systemNetworkPorts, type ConnectionOptions, type ConsumerOptions } from '../../lib/core/index.js';
import { TroubleProxy } from './trouble-proxy.js';

/** Where in a transaction a member dies. */
export type PointOfDeath = 'after-send' | 'after-offsets' | 'at-commit';

export interface CopyingMemberOptions {
  readonly bootstrap: string;
  readonly connection: ConnectionOptions;
  readonly groupId: string;
  readonly source: string;
  readonly target: string;
  readonly transactionTimeoutMs: number;
  readonly consumer?: Partial<ConsumerOptions>;
}

/**
 * A member of a group that copies one topic to another, exactly once: what it writes and how far it has read are committed
 * together. After a transaction that failed it begins again where the group is. It can be killed at named points: unplugged
 * from the cluster for good, while its code goes on as a zombie.
 */
export class CopyingMember {
  readonly proxy = new TroubleProxy();
  /** Transactions that were committed, and that were not. */
  committed = 0;
  failed = 0;
  /** Why the last one was not. */
  lastError: unknown;
  readonly #options: CopyingMemberOptions;
  readonly #krafka: Krafka;
  readonly #running: Promise<void>;
  #stopped = false;
  #isDead = false;
  #death: { readonly point: PointOfDeath; readonly happened: () => void } | undefined;
  #end: () => void = () => undefined;

  constructor(options: CopyingMemberOptions) {
    this.#options = options;
    const { bootstrap, connection, transactionTimeoutMs } = options;
    this.#krafka = new Krafka(
      {
        brokers: bootstrap,
        clientId: 'copier',
        connection,
        transactions: { producer: { lingerMs: 0, transactionTimeoutMs } },
      },
      { ...systemNetworkPorts, dialer: this.proxy.dialer },
    );
    this.#running = this.#run();
  }

  /** Resolves when it has died at the point, in the middle of a transaction. */
  die(point: PointOfDeath): Promise<void> {
    return new Promise((happened) => {
      this.#death = { point, happened };
    });
  }

  /** Leaves in good order, or as a zombie does. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#end();
    await this.#krafka.close({ timeoutMs: this.#isDead ? 0 : 3_000 }).catch(() => undefined);
    await this.#running;
    await this.proxy.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#copy();
      } catch (error) {
        this.failed++;
        this.lastError = error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** Copies until a transaction fails. */
  async #copy(): Promise<void> {
    const { groupId, source, target, consumer: options } = this.#options;
    const consumer = this.#krafka.consumer({
      groupId,
      topics: [source],
      fromBeginning: true,
      autoCommit: false,
      isolationLevel: 'read_committed',
      ...options,
    });
    this.#end = (): void => void consumer.close({ timeoutMs: 1_000 }).catch(() => undefined);
    try {
      await consumer.run({
        maxRecords: 50,
        eachBatch: async ({ topic, partition, records, signal }) => {
          const group = consumer.groupMetadata();
          const next = (records.at(-1)?.offset as number) + 1;
          await this.#krafka.transaction(
            async (tx) => {
              await tx.sendAll(records.map(({ value }) => ({ topic: target, partition, value })));
              this.#reach('after-send');
              await tx.sendOffsets([{ topic, partition, offset: next }], group);
              this.#reach('after-offsets');
              setImmediate(() => this.#reach('at-commit'));
            },
            { signal },
          );
          this.committed++;
        },
      });
    } finally {
      await consumer.close({ timeoutMs: 1_000 }).catch(() => undefined);
    }
  }

  #reach(point: PointOfDeath): void {
    if (this.#death?.point !== point) return;
    this.proxy.unplug();
    this.#isDead = true;
    this.#death.happened();
    this.#death = undefined;
  }
}
