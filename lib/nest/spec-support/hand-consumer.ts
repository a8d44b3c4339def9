import type {
  Consumer,
  ConsumerEvents,
  ConsumerOptions,
  GroupState,
  ManualAssignment,
  RunOptions,
  Verdict,
} from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { Deferred, TypedEvents } from '../../core/support/index.js';
import { aPartition } from './delivery.js';

/** A consumer that does what a test makes it do. */
export class HandConsumer {
  readonly events = new TypedEvents<ConsumerEvents>();
  readonly assigned: (readonly ManualAssignment[])[] = [];
  readonly sought: string[] = [];
  readonly subscribed: (readonly string[])[] = [];
  readonly partitions: { topic: string; partition: number }[] = [];
  readonly #ended = new Deferred<void>();
  state: GroupState = 'unjoined';
  closes = 0;
  #handle: RunOptions['eachRecord'];

  constructor(
    readonly options: ConsumerOptions,
    readonly refusal?: Error,
    readonly joined?: Promise<void>,
  ) {
    for (const { topic, partition } of options.assignments ?? []) this.partitions.push({ topic, partition });
  }

  async start(): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal;
    await this.joined;
    this.state = 'stable';
  }

  run({ eachRecord }: RunOptions): Promise<void> {
    this.#handle = eachRecord;
    return this.#ended.promise;
  }

  get isRun(): boolean {
    return this.#handle !== undefined;
  }

  /** Hands a record to whoever runs. */
  hand(record: ConsumerRecord): Verdict | Promise<Verdict> {
    return this.#handle?.(record, aPartition());
  }

  /** Can't go on. */
  crash(error: Error): void {
    this.state = 'fatal';
    this.#ended.reject(error);
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    this.subscribed.push(topics);
  }

  async assign(assignments: readonly ManualAssignment[]): Promise<void> {
    this.assigned.push(assignments);
    this.partitions.splice(0, Infinity, ...assignments.map(({ topic, partition }) => ({ topic, partition })));
  }

  assignment(): readonly { topic: string; partition: number }[] {
    return this.partitions;
  }

  /** What a test says of its handlers. */
  stuck: readonly { readonly topic: string; readonly partition: number; readonly handlingMs: number }[] = [];

  /** What a test says of its partitions, beside what they are. */
  facts: { readonly lag?: number; readonly handlingMs?: number } = {};

  stats(): { readonly partitions: readonly object[]; readonly stuck: readonly object[] } {
    return { partitions: this.partitions.map((one) => ({ ...one, ...this.facts })), stuck: this.stuck };
  }

  async seek({ topic }: { topic: string }, target: unknown): Promise<void> {
    this.sought.push(`${topic} ${String(target)}`);
  }

  groupState(): GroupState {
    return this.state;
  }

  /** What a test has its closing wait for. */
  handlersEnd: Promise<void> = Promise.resolve();

  async close(): Promise<void> {
    this.closes += 1;
    await this.handlersEnd;
    this.#ended.resolve();
  }

  /** As the class it stands for. */
  get consumer(): Consumer {
    return this as unknown as Consumer;
  }
}
