import {
  CreateTopics,
  DeleteRecords,
  DeleteTopics,
  Fetch,
  ListOffsets,
  Metadata,
  OffsetForLeaderEpoch,
  Produce,
  batchesIn,
  errorName,
} from '../../../lib/core/protocol/index.js';
import { aBatch } from '../../../lib/testing/spec-support/batches.js';
import { settled, type Scenario, type Stage } from './stage.js';

const AT = 1_700_000_000_000;
const STRANGER = 'AAAAAAAAAAAAAAAAAAAAAg';

/** Partition, offset, and the rest by default: most bytes, leader epoch, last fetched epoch. */
type Asked = readonly [partition: number, offset: number, maxBytes?: number, epoch?: number, fetchedEpoch?: number];
interface Given {
  readonly version?: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly committed?: boolean;
  readonly session?: readonly [id: number, epoch: number];
  readonly forget?: readonly number[];
  readonly topic?: string;
}

/** A consumer of one topic, by its name or (from v13 on) its id. */
class Fetcher {
  sessionId = 0;
  #sessions = 0;

  constructor(
    readonly stage: Stage,
    readonly topic: string,
    readonly topicId: string,
    readonly client: Awaited<ReturnType<Stage['connect']>>,
  ) {}

  start(asked: readonly Asked[], given: Given = {}): () => Promise<string> {
    const { version = 17, session = [0, -1] } = given;
    const named = version >= 13 ? { topicId: given.topic ?? this.topicId } : { topic: given.topic ?? this.topic };
    const partitions = asked.map(([partition, fetchOffset, most = 1_000_000, epoch = -1, fetchedEpoch = -1]) => ({
      partition,
      fetchOffset,
      partitionMaxBytes: most,
      currentLeaderEpoch: epoch,
      ...(version >= 12 ? { lastFetchedEpoch: fetchedEpoch } : {}),
    }));
    const id = this.client.write(Fetch, version, {
      maxWaitMs: given.maxWaitMs ?? 0,
      minBytes: given.minBytes ?? 1,
      maxBytes: given.maxBytes ?? 1_000_000,
      isolationLevel: given.committed === true ? 1 : 0,
      ...(version >= 7 ? { sessionId: session[0], sessionEpoch: session[1] } : {}),
      topics: partitions.length === 0 ? [] : [{ ...named, partitions }],
      ...(version >= 7 ? { forgottenTopicsData: given.forget ? [{ ...named, partitions: given.forget }] : [] } : {}),
    });
    return async () => {
      const answer = await this.client.answer(Fetch, version, id);
      if (answer.sessionId !== 0 && answer.sessionId !== this.sessionId) {
        this.sessionId = answer.sessionId;
        this.stage.alias(this.sessionId, `S${++this.#sessions}`);
      }
      const told = answer.responses.flatMap((topic) =>
        topic.partitions.map((one) => {
          const batches = [...batchesIn(one.records ?? Buffer.alloc(0))].map(
            ({ header }) => `${header.baseOffset}-${header.lastOffset}`,
          );
          const { epoch, endOffset } = one.divergingEpoch;
          return (
            `${one.partitionIndex} ${errorName(one.errorCode)} hw ${one.highWatermark} lso ${one.lastStableOffset} ` +
            `start ${one.logStartOffset} ${one.records?.length ?? 0} bytes [${batches.join()}] ` +
            `aborted ${one.abortedTransactions?.length ?? 'null'} diverging ${epoch}/${endOffset} ` +
            `leader ${one.currentLeader.leaderId}/${one.currentLeader.leaderEpoch}`
          );
        }),
      );
      return `${errorName(answer.errorCode)} session ${answer.sessionId} ${told.join(' | ')}`;
    };
  }

  async fetch(what: string, asked: readonly Asked[], given?: Given): Promise<void> {
    this.stage.note(what, await this.start(asked, given)());
  }
}

const produceTo = async (stage: Stage, topic: string) => {
  const client = await stage.connect();
  return async (partition: number, values: readonly string[]): Promise<void> => {
    const records = await aBatch(values, { timestamp: AT });
    const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
    await client.send(Produce, 9, { acks: -1, timeoutMs: 5000, topicData });
  };
};

const open = async (stage: Stage, word: string) => {
  const topic = stage.name(word);
  const topicId = await stage.topic(topic, 3);
  const produce = await produceTo(stage, topic);
  await produce(0, ['a', 'b', 'c']);
  await produce(0, ['dd']);
  await produce(0, ['e', 'f']);
  await produce(1, ['g']);
  return { topic, produce, fetcher: new Fetcher(stage, topic, topicId, await stage.connect()) };
};

export const fetch: Scenario = async (stage) => {
  const { fetcher } = await open(stage, 'fetch');
  const everything: readonly Asked[] = [[0, 0], [1, 0], [2, 99], [9, 0]]; // prettier-ignore
  for (const version of [4, 7, 11, 12, 13, 17]) await fetcher.fetch(`v${version}`, everything, { version });
  await fetcher.fetch('unknown topic', [[0, 0]], { topic: stage.name('missing'), version: 12 });
  await fetcher.fetch('unknown id', [[0, 0]], { topic: STRANGER });
  await fetcher.fetch('beyond', [[0, 7]]);
  await fetcher.fetch('at the end', [[1, 1]]);
  await fetcher.fetch('before the beginning', [[1, -1]]);
  await fetcher.fetch('within a batch', [[0, 1]]);
  await fetcher.fetch('leader epochs', [[0, 0, 100, 0], [1, 0, 100, 5]]); // prettier-ignore
  await fetcher.fetch('fetched epochs', [[0, 0, 100, 0, 5], [1, 50, 100, 0, 0]]); // prettier-ignore
  await fetcher.fetch('committed', [[0, 0]], { committed: true });
  await fetcher.fetch('a byte each', [[0, 0, 1], [1, 0, 1]]); // prettier-ignore
  await fetcher.fetch('ten bytes in all', [[0, 0], [1, 0]], { maxBytes: 10 }); // prettier-ignore
  await fetcher.fetch('cut', [[0, 0, 120]]);
  await fetcher.fetch('cut behind another', [[1, 0], [0, 0, 120], [2, 0, 10]]); // prettier-ignore
  await fetcher.fetch('little left', [[1, 0], [0, 0]], { maxBytes: 120 }); // prettier-ignore
  await fetcher.fetch('no bytes', [[0, 0, 0], [1, 0, 0]]); // prettier-ignore
  await fetcher.fetch('no bytes in all', [[0, 0], [1, 0]], { maxBytes: 0 }); // prettier-ignore
  await fetcher.fetch('twice', [[0, 0], [1, 0], [0, 4]]); // prettier-ignore
  await fetcher.fetch('unknown first', [[9, 0], [1, 0]]); // prettier-ignore
  await fetcher.fetch('an epoch that is none', [[0, 0, 100, -2]]);
  await fetcher.fetch('nothing', []);
};

export const sessions: Scenario = async (stage) => {
  const { topic, fetcher, produce } = await open(stage, 'sessions');
  const go = (what: string, epoch: number, asked: readonly Asked[] = [], given: Given = {}) =>
    fetcher.fetch(what, asked, { session: [fetcher.sessionId, epoch], ...given });
  await fetcher.fetch('begins', [[0, 7], [1, 0]], { session: [0, 0] }); // prettier-ignore
  await go('not moved on', 1);
  await go('out of range', 2, [[0, 999], [1, 1]]); // prettier-ignore
  await go('still out of range', 3);
  await go('in range again', 4, [[0, 6]]);
  await go('nothing new', 5);
  await go('a later epoch', 9);
  await go('an earlier epoch', 5);
  await fetcher.fetch('another id', [], { session: [12_345, 1] });
  await go('by name', 6, [], { version: 12 });
  await produce(1, ['new']);
  await go('something new', 6);
  await go('adds one', 7, [[2, 0]]);
  await go('forgets two', 8, [], { forget: [0, 1] });
  await go('forgets the last', 9, [], { forget: [2] });
  await go('is gone', 10);
  await fetcher.fetch('begins by name', [[0, 6]], { session: [0, 0], version: 12 });
  await go('by id', 1);
  await go('by name', 1, [], { version: 12 });
  await go('ends', -1, [], { version: 12 });
  await go('is gone', 2, [], { version: 12 });
  await fetcher.fetch('begins with nothing', [], { session: [0, 0] });
  await go('has something', 1, [[0, 6]]);
  await fetcher.fetch('begins', [[0, 6]], { session: [0, 0] });
  const first = fetcher.sessionId;
  await go('begins anew', 0, [[1, 0]]);
  await fetcher.fetch('the first is gone', [], { session: [first, 1] });
  await fetcher.fetch('an epoch without session', [[0, 6]], { session: [0, 4] });
  await fetcher.fetch('begins', [[0, 0, 10]], { session: [0, 0] });
  const admin = await stage.connect();
  await admin.send(DeleteTopics, 6, { topics: [{ name: topic }], timeoutMs: 5000 });
  await settled(async () => (await admin.send(Metadata, 12, { topics: [{ name: topic }] })).topics[0]?.errorCode !== 0);
  await go('its topic is deleted', 1);
  const again = { name: topic, numPartitions: 3, replicationFactor: 1, assignments: [], configs: [] };
  await settled(async () => (await admin.send(CreateTopics, 7, { topics: [again] })).topics[0]?.errorCode === 0);
  await stage.usable(topic, 3);
  await go('its topic is another', 2);
  await fetcher.fetch('by the old id', [[0, 0]]);
};

export const longPolls: Scenario = async (stage) => {
  const { fetcher, produce } = await open(stage, 'polls');
  const woken = fetcher.start([[1, 1], [0, 6]], { maxWaitMs: 20_000 }); // prettier-ignore
  await settled(async () => true);
  await produce(1, ['wake']);
  stage.note('woken', await woken());
  const enough = fetcher.start([[1, 2]], { maxWaitMs: 20_000, minBytes: 150 });
  await produce(1, ['one']);
  await produce(1, ['two']);
  await produce(1, ['three']);
  stage.note('enough', (await enough()).replace(/hw.*/, ''));
  await fetcher.fetch('time is up', [[0, 6]], { maxWaitMs: 100 });
};

export const offsets: Scenario = async (stage) => {
  const { topic } = await open(stage, 'offsets');
  const client = await stage.connect();
  const list = async (
    what: string,
    version: number,
    partitions: readonly Asked[],
    isolationLevel = 0,
  ): Promise<void> => {
    const answer = await client.send(ListOffsets, version, {
      replicaId: -1,
      isolationLevel,
      topics: [
        {
          name: topic,
          partitions: partitions.map(([partitionIndex, timestamp, , epoch = -1]) => ({
            partitionIndex,
            timestamp,
            ...(version >= 4 ? { currentLeaderEpoch: epoch } : {}),
          })),
        },
      ],
    });
    for (const one of answer.topics
      .flatMap((each) => each.partitions)
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)) {
      stage.error(what, one.errorCode, one.partitionIndex, one.offset, one.timestamp, one.leaderEpoch);
    }
  };
  for (const timestamp of [-1, -2, -3, -4, -5, -6, -7, 0, AT - 1, AT, AT + 1]) {
    await list(`at ${timestamp}`, 11, [[0, timestamp]]);
  }
  await list('v1', 1, [[0, -1]]);
  await list('max timestamp at 6', 6, [[0, -3]]);
  await list('earliest local at 7', 7, [[0, -4]]);
  await list('tiered at 8', 8, [[0, -5]]);
  await list('twice, unknown and wrong epoch', 7, [[0, -1], [0, -2], [9, -1], [1, -1, 0, 7]], 1); // prettier-ignore
  const epochs: readonly (readonly [number, number, number])[] = [[0, -1, 0], [1, 0, 0], [2, 5, 0], [0, -1, 3], [9, -1, 0]]; // prettier-ignore
  const ends = await client.send(OffsetForLeaderEpoch, 4, {
    topics: [
      {
        topic,
        partitions: epochs.map(([partition, currentLeaderEpoch, leaderEpoch]) => ({
          partition,
          currentLeaderEpoch,
          leaderEpoch,
        })),
      },
    ],
  });
  const lines = ends.topics.flatMap(({ partitions }) =>
    partitions.map((one) => `${one.partition} ${errorName(one.errorCode)} ${one.leaderEpoch} ${one.endOffset}`),
  );
  stage.note('epochs', lines.toSorted().join(' | '));
  const remove = async (offset: number): Promise<void> => {
    const topics = [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }];
    const [one] = (await client.send(DeleteRecords, 2, { topics, timeoutMs: 5000 })).topics[0]?.partitions ?? [];
    stage.error(`delete before ${offset}`, one?.errorCode, one?.lowWatermark);
  };
  for (const offset of [2, 1, 999, -2, -1]) await remove(offset);
  await list('after', 11, [[0, -2], [0, -2]]); // prettier-ignore
};
