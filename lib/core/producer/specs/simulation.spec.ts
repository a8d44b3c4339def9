import { decodeBatch, ERROR_CODES, type ConsumerRecord } from '../../protocol/index.js';
import { seededRandom, type KrafkaError, type Random } from '../../support/index.js';
import type { FakeAnswer, ProduceOnWire, SentBatch } from '../spec-support/fake-broker.js';
import { fakeWorld, watch, type FakeWorld, type Watched } from '../spec-support/fake-cluster.js';
import { ModelLog } from '../spec-support/model-log.js';
import type { ProducerOptions } from '../options.js';
import type { RecordMetadata } from '../record.js';

const BROKERS = 3;
const PARTITIONS = 4;
const REQUEST_TIMEOUT_MS = 1_000;
/** Errors that do not say whether a record was written. */
const LEAVES_IT_OPEN: ReadonlySet<string> = new Set(['TIMEOUT', 'OUTCOME_UNKNOWN']);

/** A Produce request as its broker has it: applied or not, to be answered or not. */
interface Received {
  readonly produce: ProduceOnWire;
  readonly nodeId: number;
  answers: Map<SentBatch, FakeAnswer> | undefined;
  /** When its connection was lost. */
  lostAtMs?: number;
}

/**
 * Three brokers that lead four partitions by Kafka's rules, over connections that are cut, with answers that are lost, leaders
 * that move, requests that arrive after their connection has gone, and errors of every kind.
 */
class TroubledCluster {
  readonly logs = Array.from({ length: PARTITIONS }, () => new ModelLog());
  readonly #world: FakeWorld;
  readonly #random: Random;
  readonly #leaders = [1, 2, 3, 1];
  #epoch = 1;
  #received: Received[] = [];
  /** Requests whose connection is gone, but which the broker has in its buffers. */
  #ghosts: Received[] = [];

  constructor(options: ProducerOptions, seed: number, connectionsPerBroker: number) {
    this.#random = seededRandom(seed);
    this.#world = fakeWorld(options, { brokers: BROKERS, connectionsPerBroker, leaders: this.#leaders, seed });
    for (const [nodeId, bundle] of this.#world.cluster.bundles) {
      for (const member of bundle.members) {
        member!.onProduce = (produce) => void this.#received.push({ produce, nodeId, answers: undefined });
      }
    }
  }

  get world(): FakeWorld {
    return this.#world;
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  below(bound: number): number {
    return Math.floor(this.#random.next() * bound);
  }

  /** One thing happens, most often something good. */
  happen(): void {
    const dice = this.#random.next();
    if (dice < 0.55) this.#serve();
    else if (dice < 0.7) this.#apply();
    else if (dice < 0.78) this.#cut();
    else if (dice < 0.84) this.#move();
    else if (dice < 0.9) this.#haunt();
    else if (dice < 0.95) this.#learn();
  }

  /** From now on nothing goes wrong. */
  heal(): void {
    this.#ghosts = [];
    this.#learn();
    for (const { produce } of this.#received) if (!produce.settled) produce.connection.cut();
    this.#received = [];
    this.#redial();
    for (const connection of this.#world.cluster.connections) {
      connection.onProduce = (produce) => {
        const nodeId = Number(connection.address.split(/[-:]/)[1]);
        const received: Received = { produce, nodeId, answers: undefined };
        this.#applyTo(received, false);
        produce.answer((batch) => received.answers?.get(batch));
      };
    }
  }

  /** The oldest request of a connection is applied, if it was not, and answered. */
  #serve(): void {
    const received = this.#oldest();
    if (received === undefined) return;
    if (received.answers === undefined) this.#applyTo(received);
    this.#received = this.#received.filter((one) => one !== received);
    received.produce.answer((batch) => received.answers?.get(batch));
  }

  /** Applied, and not answered yet. */
  #apply(): void {
    const received = this.#received.find(({ answers, produce }) => answers === undefined && !produce.settled);
    if (received !== undefined && this.#isNext(received)) this.#applyTo(received);
  }

  /** A connection is gone: answers are lost, and what the broker has not read may reach it later or never. */
  #cut(): void {
    const { cluster } = this.#world;
    const connections = cluster.connections.filter(({ usable }) => usable);
    const connection = connections[this.below(connections.length)];
    if (connection === undefined) return;
    const lost = this.#received.filter(({ produce }) => produce.connection === connection);
    this.#received = this.#received.filter((one) => !lost.includes(one));
    const lostAtMs = this.#world.clock.monotonic();
    const ghosts = lost.filter(({ answers }) => answers === undefined).map((one) => ({ ...one, lostAtMs }));
    if (this.chance(0.6)) this.#ghosts.push(...ghosts);
    connection.cut();
    this.#redial();
  }

  /** What a dead connection left behind is applied after all. */
  #haunt(): void {
    const ghost = this.#ghosts.shift();
    if (ghost === undefined) return;
    const ageMs = this.#world.clock.monotonic() - (ghost.lostAtMs ?? 0);
    if (ageMs < REQUEST_TIMEOUT_MS) this.#applyTo(ghost, false);
  }

  #move(): void {
    const partition = this.below(PARTITIONS);
    this.#leaders[partition] = 1 + this.below(BROKERS);
    this.#epoch++;
    if (this.chance(0.5)) this.#learn();
  }

  #learn(): void {
    this.#world.cluster.topicHas('t', this.#leaders, { epoch: this.#epoch });
  }

  #redial(): void {
    for (const bundle of this.#world.cluster.bundles.values()) {
      bundle.members.forEach((member, place) => {
        if (member?.usable === false) bundle.redial(place);
      });
    }
  }

  #oldest(): Received | undefined {
    const candidates = this.#received.filter((received) => !received.produce.settled && this.#isNext(received));
    return candidates[this.below(candidates.length)];
  }

  /** A broker works on the requests of one connection in turn. */
  #isNext(received: Received): boolean {
    return this.#received.find(({ produce }) => produce.connection === received.produce.connection) === received;
  }

  #applyTo(received: Received, trouble = true): void {
    received.answers = new Map(
      received.produce.batches.map((batch) => [batch, this.#append(batch, received.nodeId, trouble)]),
    );
  }

  #append(batch: SentBatch, nodeId: number, trouble: boolean): FakeAnswer {
    const { partition } = batch;
    if (this.#leaders[partition] !== nodeId) {
      const currentLeader = { leaderId: this.#leaders[partition]!, leaderEpoch: this.#epoch };
      return { errorCode: ERROR_CODES.NOT_LEADER_OR_FOLLOWER, ...(this.chance(0.5) ? { currentLeader } : {}) };
    }
    if (trouble && this.chance(0.05)) return 'NOT_ENOUGH_REPLICAS';
    if (trouble && this.chance(0.02)) return 'INVALID_RECORD';
    // What it takes may have become less since an attempt that was written.
    const mostRecords = trouble && this.chance(0.05) ? 1 : 6;
    if (batch.header.recordCount > mostRecords) return 'MESSAGE_TOO_LARGE';
    if (trouble && this.chance(0.03)) return 'REQUEST_TIMED_OUT';
    const answer = this.logs[partition]!.append(batch, plainValues(batch));
    if (answer.errorCode === ERROR_CODES.NONE && trouble && this.chance(0.05))
      return 'NOT_ENOUGH_REPLICAS_AFTER_APPEND';
    return answer;
  }
}

function plainValues(batch: SentBatch): string[] {
  const records = decodeBatch(batch, { topic: 't', partition: batch.partition }) as ConsumerRecord[];
  return records.map(({ value }) => value!.toString());
}

async function run(seed: number, options: ProducerOptions, connectionsPerBroker: number): Promise<void> {
  const trouble = new TroubledCluster(
    {
      lingerMs: seed % 2 === 0 ? 0 : 5,
      batchSize: 400,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      deliveryTimeoutMs: 3_000,
      ...options,
    },
    seed,
    connectionsPerBroker,
  );
  const { clock, producer } = trouble.world;
  const sent: { partition: number; value: string; outcome: Watched<RecordMetadata> }[] = [];
  for (let step = 0; step < 400; step++) {
    const burst = trouble.chance(0.6) ? trouble.below(6) : 0;
    for (let index = 0; index < burst; index++) {
      const partition = trouble.below(PARTITIONS);
      const value = String(sent.length);
      sent.push({ partition, value, outcome: watch(producer.send({ topic: 't', partition, value })) });
    }
    await clock.advance(trouble.chance(0.3) ? trouble.below(300) : 0);
    trouble.happen();
    await clock.settle();
  }
  trouble.heal();
  await clock.advance(5_000);

  for (let partition = 0; partition < PARTITIONS; partition++) {
    const log = trouble.logs[partition]!;
    const numbers = log.values.map(Number);
    // No repeat and no reordering, acknowledged or not.
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const { value, outcome } of sent.filter((one) => one.partition === partition)) {
      // Nothing hangs; what was acknowledged is there, where it was said to be.
      expect(outcome.state).not.toBe('pending');
      if (outcome.state === 'rejected') {
        // What was refused for certain is not there.
        if (!LEAVES_IT_OPEN.has((outcome.reason as KrafkaError).code)) expect(log.values).not.toContain(value);
        continue;
      }
      const offset = outcome.value!.offset;
      if (offset < 0) expect(log.values).toContain(value);
      else expect(log.values[offset]).toBe(value);
    }
  }
  expect(sent.filter(({ outcome }) => outcome.state === 'fulfilled').length).toBeGreaterThan(sent.length / 4);
  expect(producer.stats()).toMatchObject({ incompleteBatches: 0, waitingSends: 0, inFlight: 0, buffer: { used: 0 } });
  expect(clock.timersWaiting).toBe(0);
}

/** How many histories are played; more with KRAFKA_SIMULATIONS in the environment. */
const HISTORIES = Number(process.env['KRAFKA_SIMULATIONS'] ?? 60);

describe('through lost answers, cut connections, late requests, moving leaders and every error', () => {
  it.each(Array.from({ length: HISTORIES }, (_, seed) => seed))(
    'an idempotent producer makes no duplicate, no reordering and no false report (seed %d)',
    (seed) => run(seed, {}, 1 + (seed % 3)),
  );
});
