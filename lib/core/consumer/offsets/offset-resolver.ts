import type { BrokerConnection } from '../../network/index.js';
import { ERROR_CODES, ListOffsets } from '../../protocol/index.js';
import { KrafkaProtocolError, type KrafkaError } from '../../support/index.js';
import type { AssignedPartition, OffsetSpec } from '../assigned-partition.js';
import type { IsolationLevel } from '../consumer-options.js';
import { byTopic, keyOf } from '../topic-partition.js';
import {
  LeaderQuestions,
  outcomeOfError,
  type LeaderQuestionsOptions,
  type Outcome,
  type Question,
} from './leader-questions.js';

/** An offset as a leader knows it. */
export interface ResolvedOffset {
  readonly offset: number;
  /** Of the record before it; -1 when not known. */
  readonly leaderEpoch: number;
}

export interface OffsetResolverOptions extends Pick<
  LeaderQuestionsOptions<OffsetSpec, ResolvedOffset>,
  'cluster' | 'ports' | 'requestTimeoutMs'
> {
  readonly isolationLevel: IsolationLevel;
  readonly onResolved: (partition: AssignedPartition, resolved: ResolvedOffset) => void;
  readonly onRefused: (partition: AssignedPartition, error: KrafkaError) => void;
}

// The timestamps that stand for the ends of a partition (ListOffsets).
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
/** Brokers know {@link MAX_TIMESTAMP} since this version of ListOffsets (KIP-734). */
const MAX_TIMESTAMP_SINCE = 7;

const timestampOf = (spec: OffsetSpec): number => {
  if (typeof spec === 'object') return spec.timestamp;
  return { earliest: EARLIEST, latest: LATEST, 'max-timestamp': MAX_TIMESTAMP }[spec];
};

/** Finds the offset of a partition's beginning, its end, or a time: one ListOffsets a leader, all leaders at once. */
export class OffsetResolver {
  readonly #questions: LeaderQuestions<OffsetSpec, ResolvedOffset>;

  constructor(options: OffsetResolverOptions) {
    const { isolationLevel, onResolved } = options;
    this.#questions = new LeaderQuestions<OffsetSpec, ResolvedOffset>({
      ...options,
      ask: (connection, questions, wait) => listOffsets(connection, questions, isolationLevel, wait),
      onAnswer: (partition, resolved, spec) => {
        // No record is that young: what comes next will be.
        if (resolved.offset < 0 && spec !== 'latest') this.#questions.put(partition, 'latest');
        else onResolved(partition, resolved);
      },
    });
  }

  /** ListOffsets requests sent so far. */
  get requests(): number {
    return this.#questions.requests;
  }

  /** Asks; a newer question about the same partition takes this one's place. */
  resolve(partition: AssignedPartition, spec: OffsetSpec): void {
    this.#questions.put(partition, spec);
  }

  drop(partition: AssignedPartition): void {
    this.#questions.drop(partition);
  }

  metadataChanged(): void {
    this.#questions.metadataChanged();
  }

  close(): void {
    this.#questions.close();
  }
}

async function listOffsets(
  connection: BrokerConnection,
  questions: readonly Question<OffsetSpec>[],
  isolationLevel: IsolationLevel,
  wait: { readonly timeoutMs: number },
): Promise<Map<Question<OffsetSpec>, Outcome<ResolvedOffset>>> {
  const wanted = questions.map((question) => ({
    topic: question.partition.topic,
    partition: question.partition.partition,
    question,
  }));
  if (
    questions.some(({ what }) => what === 'max-timestamp') &&
    connection.versionOf(ListOffsets) < MAX_TIMESTAMP_SINCE
  ) {
    throw new KrafkaProtocolError('UNSUPPORTED_VERSION', "'max-timestamp' needs a broker of Kafka 3.0 or later");
  }
  const request = {
    replicaId: -1,
    isolationLevel: isolationLevel === 'read_committed' ? 1 : 0,
    topics: [...byTopic(wanted)].map(([name, items]) => ({
      name,
      partitions: items.map(({ partition, question }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: question.partition.currentLeaderEpoch,
        timestamp: timestampOf(question.what),
      })),
    })),
  };
  const response = await connection.sendRequest(ListOffsets, request, wait);
  const asked = new Map(questions.map((question) => [question.partition.key, question]));
  const outcomes = new Map<Question<OffsetSpec>, Outcome<ResolvedOffset>>();
  for (const { name, partitions } of response.topics) {
    for (const { partitionIndex, errorCode, offset, leaderEpoch } of partitions) {
      const question = asked.get(keyOf(name, partitionIndex));
      if (question === undefined) continue;
      outcomes.set(
        question,
        errorCode === ERROR_CODES.NONE
          ? { kind: 'answer', value: { offset, leaderEpoch } }
          : outcomeOfError(errorCode, { api: 'ListOffsets', topic: name, partition: partitionIndex }),
      );
    }
  }
  return outcomes;
}
