import type { BrokerConnection } from '../../network/index.js';
import type { ApiName } from '../../protocol/index.js';
import { KrafkaConnectionError } from '../../support/index.js';
import { FakeClock, settled } from '../../consumer/spec-support/fake-clock.js';
import { fakePorts } from '../../consumer/spec-support/ports.js';
import type { AcknowledgeFailure } from '../acknowledgement-outbox.js';
import type { AcquiredRecords } from '../acquired-records.js';
import { InFlightLimit } from '../in-flight-limit.js';
import type { Parcel } from '../pending-acknowledgements.js';
import { shareConsumerSettings, type ShareConsumerOptions } from '../share-consumer-options.js';
import { ShareCounters } from '../share-consumer-stats.js';
import { ShareLeader } from '../share-leader.js';
import type { SharePartition } from '../share-partition.js';
import { ShareQueue } from '../share-queue.js';
import type { ShareRecord } from '../share-record.js';

export const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
export const LOCK_MS = 30_000;
export const partitionOf = (partition: number): SharePartition => ({ topicId: TOPIC_ID, topic: 't', partition });

/** A request as it would have gone to the broker, and how to answer it. */
export interface Asked {
  readonly api: ApiName;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
  readonly connection: number;
  answer(response: object): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** One partition's part of a ShareFetch answer. */
export const fetched = (partitionIndex: number, parts: object = {}): object => ({
  partitionIndex,
  errorCode: 0,
  errorMessage: null,
  acknowledgeErrorCode: 0,
  acknowledgeErrorMessage: null,
  currentLeader: { leaderId: -1, leaderEpoch: -1 },
  records: null,
  acquiredRecords: [],
  ...parts,
});

export const fetchAnswer = (partitions: readonly object[], parts: object = {}): object => ({
  errorCode: 0,
  errorMessage: null,
  acquisitionLockTimeoutMs: LOCK_MS,
  responses: partitions.length === 0 ? [] : [{ topicId: TOPIC_ID, partitions }],
  nodeEndpoints: [],
  ...parts,
});

/** Takes all that is told, but for the partitions named with an error code. */
export const acknowledgeAnswer = (asked: Asked, errors: Readonly<Record<number, number>> = {}, parts = {}): object => ({
  errorCode: 0,
  errorMessage: null,
  acquisitionLockTimeoutMs: LOCK_MS,
  nodeEndpoints: [],
  responses: (asked.body.topics as { topicId: string; partitions: { partitionIndex: number }[] }[]).map((topic) => ({
    topicId: topic.topicId,
    partitions: topic.partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: errors[partitionIndex] ?? 0,
      errorMessage: null,
    })),
  })),
  ...parts,
});

/** A leader whose broker answers when the spec says so, and a queue that hands out what it acquires. */
export function setUp(options: Partial<ShareConsumerOptions> = {}, version = 2) {
  const clock = new FakeClock();
  const ports = fakePorts(clock);
  const settings = shareConsumerSettings({ groupId: 'g', topics: ['t'], ...options });
  const counters = new ShareCounters();
  const limit = new InFlightLimit(settings.maxRecords);
  const asked: Asked[] = [];
  const acknowledged: Parcel[] = [];
  const failed: AcknowledgeFailure[] = [];
  const told: string[] = [];
  let connections = 1;
  let connection: BrokerConnection | undefined;
  const dial = (): BrokerConnection => {
    const number = connections++;
    const sendRequest = (api: { readonly name: ApiName }, body: object): Promise<object> =>
      new Promise((resolve, reject) => {
        asked.push({
          api: api.name,
          body,
          connection: number,
          answer: async (response) => {
            resolve(response);
            await settled();
          },
          fail: async (error) => {
            connection = undefined;
            reject(error);
            await settled();
          },
        });
      });
    return { address: 'b:1', usable: true, versionOf: () => version, sendRequest } as unknown as BrokerConnection;
  };
  let wanted = true;
  const queue = new ShareQueue({
    onReady: () => undefined,
    onBroken: (error) => {
      throw error as Error;
    },
  });
  const leader = new ShareLeader({
    nodeId: 1,
    groupId: 'g',
    memberId: 'm',
    settings,
    ports,
    counters,
    limit,
    share: () => limit.current,
    wanted: () => wanted,
    connect: async () => (connection ??= dial()),
    listener: {
      onAcquired: (from: ShareLeader, records: AcquiredRecords) => queue.push(from, records),
      onAcknowledged: (parcel) => acknowledged.push(parcel),
      onAcknowledgeFailed: (failure) => failed.push(failure),
      onLockExpired: (_, ranges, handedOut) => told.push(`expired ${JSON.stringify(ranges)} ${handedOut}`),
      onUnreadable: (_, ranges, error) => told.push(`unreadable ${JSON.stringify(ranges)} ${error.code}`),
      onSessionLost: (_, records, error) => told.push(`lost ${records} ${error.code}`),
      onRefused: (_, errorCode) => {
        told.push(`refused ${errorCode}`);
        return 500;
      },
      onFailed: (_, __, error, failures) => told.push(`failed ${failures} ${(error as { code?: string }).code}`),
    },
  });
  return {
    clock,
    leader,
    queue,
    counters,
    limit,
    asked,
    acknowledged,
    failed,
    told,
    /** The connection ends between two requests. */
    cut: () => (connection = undefined),
    want: (value: boolean) => {
      wanted = value;
      leader.wake();
    },
    /** The request that is under way. */
    last: async (): Promise<Asked> => {
      await settled();
      return asked.at(-1) as Asked;
    },
    /** Everything that can be handed out. */
    records: (): ShareRecord[] => {
      const records: ShareRecord[] = [];
      for (let record = queue.next(); record !== undefined; record = queue.next()) records.push(record);
      return records;
    },
  };
}

export const cutOff = (): KrafkaConnectionError => new KrafkaConnectionError('b:1', 'cut');
