import type { BrokerConnection } from '../../network/index.js';
import { ERROR_CODES, OffsetForLeaderEpoch } from '../../protocol/index.js';
import type { KrafkaError } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import { byTopic, keyOf } from '../topic-partition.js';
import {
  LeaderQuestions,
  outcomeOfError,
  type LeaderQuestionsOptions,
  type Outcome,
  type Question,
} from './leader-questions.js';

/** Where the leader's log ends for the epoch that a position was read in. */
interface EpochEnd {
  /** -1 when the leader knows nothing of that epoch. */
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

/** Where a log was cut off behind what had been read of it; `offset` is undefined when the leader can't tell. */
export interface Truncation {
  readonly offset: number | undefined;
  readonly leaderEpoch: number;
}

export interface EpochValidatorOptions extends Pick<
  LeaderQuestionsOptions<number, EpochEnd>,
  'cluster' | 'ports' | 'requestTimeoutMs'
> {
  /** The log agrees with what was read. */
  readonly onValid: (partition: AssignedPartition) => void;
  /** What was read last is not in the log any more. */
  readonly onTruncated: (partition: AssignedPartition, truncation: Truncation) => void;
  readonly onRefused: (partition: AssignedPartition, error: KrafkaError) => void;
}

/** Asks new leaders whether their logs hold what was read from the old ones (KIP-320). */
export class EpochValidator {
  readonly #questions: LeaderQuestions<number, EpochEnd>;

  constructor(options: EpochValidatorOptions) {
    this.#questions = new LeaderQuestions<number, EpochEnd>({
      ...options,
      ask: offsetsForLeaderEpochs,
      onAnswer: (partition, { leaderEpoch, endOffset }) => {
        // Sought meanwhile: there is nothing left to compare.
        if (partition.phase.kind !== 'validating') return;
        if (leaderEpoch < 0 || endOffset < 0) options.onTruncated(partition, { offset: undefined, leaderEpoch: -1 });
        else if (endOffset < partition.position) options.onTruncated(partition, { offset: endOffset, leaderEpoch });
        else options.onValid(partition);
      },
    });
  }

  /** Compares the partition's position with its leader's log. */
  validate(partition: AssignedPartition): void {
    this.#questions.put(partition, partition.positionEpoch);
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

/** What an ordinary consumer calls itself, as opposed to a replica. */
const CONSUMER = -1;

async function offsetsForLeaderEpochs(
  connection: BrokerConnection,
  questions: readonly Question<number>[],
  wait: { readonly timeoutMs: number },
): Promise<Map<Question<number>, Outcome<EpochEnd>>> {
  const wanted = questions.map((question) => ({
    topic: question.partition.topic,
    partition: question.partition.partition,
    question,
  }));
  const request = {
    replicaId: CONSUMER,
    topics: [...byTopic(wanted)].map(([topic, items]) => ({
      topic,
      partitions: items.map(({ partition, question }) => ({
        partition,
        currentLeaderEpoch: question.partition.currentLeaderEpoch,
        leaderEpoch: question.what,
      })),
    })),
  };
  const response = await connection.sendRequest(OffsetForLeaderEpoch, request, wait);
  const asked = new Map(questions.map((question) => [question.partition.key, question]));
  const outcomes = new Map<Question<number>, Outcome<EpochEnd>>();
  for (const { topic, partitions } of response.topics) {
    for (const { partition, errorCode, leaderEpoch, endOffset } of partitions) {
      const question = asked.get(keyOf(topic, partition));
      if (question === undefined) continue;
      outcomes.set(
        question,
        errorCode === ERROR_CODES.NONE
          ? { kind: 'answer', value: { leaderEpoch, endOffset } }
          : outcomeOfError(errorCode, { api: 'OffsetForLeaderEpoch', topic, partition }),
      );
    }
  }
  return outcomes;
}
