import {
  ERROR_CODES,
  protocolError,
  type ResponseOf,
  type ShareAcknowledge,
  type ShareFetch,
} from '../protocol/index.js';
import type { KrafkaError } from '../support/index.js';
import type { Outcomes } from './acknowledgement-outbox.js';
import { acknowledgementBatches, type Parcel } from './pending-acknowledgements.js';
import { byTopicId, keyOf, type SharePartition } from './share-partition.js';

type Batches = ReturnType<typeof acknowledgementBatches>;

/** Verdicts as a request has them; with `added`, partitions that are new to the session, too. */
export function topicsOf(parcels: readonly Parcel[], added: readonly SharePartition[] = []) {
  const batches = new Map<SharePartition, Batches>(added.map((partition) => [partition, []]));
  for (const { partition, ranges } of parcels) batches.set(partition, acknowledgementBatches(ranges));
  return byTopicId(batches.keys(), (partition) => ({
    partitionIndex: partition.partition,
    acknowledgementBatches: batches.get(partition) ?? [],
  }));
}

/** How a topic is called, for the errors that name it: answers have only ids. */
export type TopicNames = (topicId: string) => string;

/** What a ShareFetch answer says of the verdicts sent with it. */
export function fetchOutcomes(response: ResponseOf<typeof ShareFetch>, nameOf: TopicNames): Outcomes {
  const outcomes = new Map<string, KrafkaError | undefined>();
  for (const { topicId, partitions } of response.responses) {
    for (const { partitionIndex, acknowledgeErrorCode, acknowledgeErrorMessage } of partitions) {
      const place = { api: 'ShareFetch', topic: nameOf(topicId), partition: partitionIndex };
      outcomes.set(keyOf(topicId, partitionIndex), outcome(acknowledgeErrorCode, acknowledgeErrorMessage, place));
    }
  }
  return outcomes;
}

/** What a ShareAcknowledge answer says of the verdicts sent. */
export function acknowledgeOutcomes(response: ResponseOf<typeof ShareAcknowledge>, nameOf: TopicNames): Outcomes {
  const outcomes = new Map<string, KrafkaError | undefined>();
  for (const { topicId, partitions } of response.responses) {
    for (const { partitionIndex, errorCode, errorMessage } of partitions) {
      const place = { api: 'ShareAcknowledge', topic: nameOf(topicId), partition: partitionIndex };
      outcomes.set(keyOf(topicId, partitionIndex), outcome(errorCode, errorMessage, place));
    }
  }
  return outcomes;
}

function outcome(
  code: number,
  message: string | null,
  place: { readonly api: string; readonly topic: string; readonly partition: number },
): KrafkaError | undefined {
  if (code === ERROR_CODES.NONE) return undefined;
  return protocolError(code, { ...place, ...(message !== null && { detail: message }) });
}
