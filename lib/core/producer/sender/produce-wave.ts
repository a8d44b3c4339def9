import { ERROR_CODES, Produce, ZERO_UUID, type RequestOf, type ResponseOf } from '../../protocol/index.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { TopicQueues } from '../accumulator/topic-queues.js';

export type ProduceResponse = ResponseOf<typeof Produce>;
/** A broker's answer for one batch. */
export type BatchAnswer = ProduceResponse['responses'][number]['partitionResponses'][number];

/** Bytes of a Produce request around its batches, per batch, at most: topic name or id, lengths, indexes. */
const OVERHEAD_PER_BATCH = 300;

/** The last version that names topics; from the next on they go by id (KIP-516). */
const LAST_VERSION_WITH_NAMES = 12;

interface TopicWave {
  readonly topic: TopicQueues;
  readonly id: string;
  readonly batches: ProducerBatch[];
}

/** The batches that go out in one Produce request: at most one of each partition, as brokers demand. */
export class ProduceWave {
  readonly batches: ProducerBatch[] = [];
  readonly #maxBytes: number;
  readonly #topics = new Map<TopicQueues, TopicWave>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether the batch fits; the first one always does. */
  fits(batch: ProducerBatch): boolean {
    return this.batches.length === 0 || this.#bytes + batch.sizeInBytes + OVERHEAD_PER_BATCH <= this.#maxBytes;
  }

  add(batch: ProducerBatch): void {
    const { topic } = batch.queue;
    this.batches.push(batch);
    this.#bytes += batch.sizeInBytes + OVERHEAD_PER_BATCH;
    const wave = this.#topics.get(topic);
    if (wave === undefined) this.#topics.set(topic, { topic, id: topic.metadata?.id ?? ZERO_UUID, batches: [batch] });
    else wave.batches.push(batch);
  }

  /** The highest version that can say it all; undefined for whatever both sides speak. */
  get maxVersion(): number | undefined {
    for (const { id } of this.#topics.values()) if (id === ZERO_UUID) return LAST_VERSION_WITH_NAMES;
    return undefined;
  }

  /** The request; seals the batches that are not sealed yet. */
  request(acks: number, timeoutMs: number, transactionalId: string | null): RequestOf<typeof Produce> {
    const transactional = transactionalId !== null;
    const topicData = [];
    for (const { topic, id, batches } of this.#topics.values()) {
      const partitionData = batches.map((batch) => ({
        index: batch.queue.partition,
        records: batch.seal(transactional),
      }));
      topicData.push({ name: topic.name, topicId: id, partitionData });
    }
    return { transactionalId, acks, timeoutMs, topicData };
  }

  /** Hands each batch its answer; a batch that the response does not mention gets none. */
  match(response: ProduceResponse, each: (batch: ProducerBatch, answer: BatchAnswer | undefined) => void): void {
    const answers = new Map<ProducerBatch, BatchAnswer>();
    const topics = [...this.#topics.values()];
    response.responses.forEach((answered, index) => {
      const guess = topics[index];
      const isIt = (wave: TopicWave | undefined): boolean =>
        wave !== undefined && (answered.name === '' ? wave.id === answered.topicId : wave.topic.name === answered.name);
      const wave = isIt(guess) ? guess : topics.find(isIt);
      answered.partitionResponses.forEach((answer, at) => {
        const next = wave?.batches[at];
        const batch =
          next?.queue.partition === answer.index
            ? next
            : wave?.batches.find(({ queue }) => queue.partition === answer.index);
        if (batch !== undefined) answers.set(batch, answer);
      });
    });
    for (const batch of this.batches) each(batch, answers.get(batch));
  }
}

/** The answer of a broker that gives none: `acks: 0`. */
export const UNACKNOWLEDGED: BatchAnswer = {
  index: -1,
  errorCode: ERROR_CODES.NONE,
  baseOffset: -1,
  logAppendTimeMs: -1,
  logStartOffset: -1,
  recordErrors: [],
  errorMessage: null,
  currentLeader: { leaderId: -1, leaderEpoch: -1 },
};
