import {
  ConsumerGroupHeartbeat,
  Fetch,
  ListOffsets,
  OffsetFetch,
  batchesIn,
  errorName,
  readControlRecord,
} from '../../../lib/core/protocol/index.js';
import { GroupMember } from '../../../lib/testing/spec-support/group-member.js';
import { TransactionalProducer, type As } from '../../../lib/testing/spec-support/transactional-producer.js';
import { settled, type Scenario, type Stage } from './stage.js';

/** A transactional producer that writes down what it is answered, and waits while the broker is still at its last transaction. */
class NotedProducer {
  #bumps = 0;

  constructor(
    readonly stage: Stage,
    readonly name: string,
    readonly producer: TransactionalProducer,
  ) {}

  get identity() {
    return this.producer.identity;
  }

  async #note(what: string, ask: () => Promise<unknown>, patient = true): Promise<void> {
    let answer = await ask();
    const most = patient ? 100 : 0;
    for (let tries = 0; tries < most && JSON.stringify(answer).includes('CONCURRENT_TRANSACTIONS'); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      answer = await ask();
    }
    if (this.identity.producerId >= 0)
      this.stage.alias(`"producerId":${this.identity.producerId},`, `"producer ${this.name}" `);
    this.#bumps = this.identity.producerEpoch;
    this.stage.note(`${this.name} ${what}`, answer, this.#bumps);
  }

  init(what: string, ...given: Parameters<TransactionalProducer['init']>): Promise<void> {
    return this.#note(what, async () => {
      for (;;) {
        const error = await this.producer.init(...given);
        if (error !== 'COORDINATOR_LOAD_IN_PROGRESS' && error !== 'NOT_COORDINATOR') return error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }, false); // prettier-ignore
  }
  add(what: string, partitions: readonly number[], as?: As): Promise<void> {
    return this.#note(what, async () => (await this.producer.add(partitions, as)).toSorted());
  }
  send(what: string, ...given: Parameters<TransactionalProducer['send']>): Promise<void> {
    return this.#note(what, () => this.producer.send(...given));
  }
  end(what: string, committed: boolean, as?: As): Promise<void> {
    return this.#note(what, () => this.producer.end(committed, as));
  }
  addOffsets(what: string, groupId: string, as?: As): Promise<void> {
    return this.#note(what, () => this.producer.addOffsets(groupId, as));
  }
  commitOffset(what: string, ...given: Parameters<TransactionalProducer['commitOffset']>): Promise<void> {
    return this.#note(what, () => this.producer.commitOffset(...given));
  }
}

const open = async (stage: Stage, name: string): Promise<NotedProducer> => {
  const transactionalId = stage.name(name);
  await stage.coordinator(transactionalId, 1);
  return new NotedProducer(
    stage,
    name,
    new TransactionalProducer(await stage.connect(), transactionalId, stage.name('orders'), Date.now()),
  );
};

/** What lies in partition 0: batches and markers, and what a reader of committed records is told of it. */
const readAll = async (stage: Stage): Promise<void> => {
  const client = await stage.connect();
  const read = async () => {
    const answer = await client.send(Fetch, 12, {
      maxWaitMs: 0,
      minBytes: 0,
      isolationLevel: 1,
      sessionEpoch: -1,
      topics: [
        { topic: stage.name('orders'), partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] },
      ],
    });
    return answer.responses[0]?.partitions[0];
  };
  await settled(async () => {
    const partition = await read();
    return partition?.lastStableOffset === partition?.highWatermark;
  });
  const latest = [{ name: stage.name('orders'), partitions: [{ partitionIndex: 0, timestamp: -3 }] }];
  const listed = await client.send(ListOffsets, 9, { replicaId: -1, isolationLevel: 0, topics: latest });
  stage.note('latest time', listed.topics[0]?.partitions[0]?.offset);
  const partition = await read();
  const batches = [...batchesIn(partition?.records ?? Buffer.alloc(0))].map((batch) => {
    const { baseOffset, isControl, producerEpoch } = batch.header;
    return `${baseOffset} ${isControl ? readControlRecord(batch)?.kind : 'data'} ${producerEpoch}`;
  });
  stage.note(
    'log',
    batches,
    partition?.abortedTransactions?.map(({ firstOffset }) => firstOffset),
  );
};

export const transactionsOfVersion2: Scenario = async (stage) => {
  await stage.topic(stage.name('orders'), 2);
  const one = await open(stage, 'one');
  await one.init('begins without time', undefined, 5, 0);
  await one.init('begins with too much time', undefined, 5, 900_001);
  await one.init('begins as half of somebody', { producerId: 5, producerEpoch: -1 });
  await one.init('begins');
  await one.end('commits nothing', true);
  await one.end('aborts nothing', false);
  await one.send('sends', 0, 'a');
  await one.send('sends again', 0, 'a');
  await one.send('leaves one out', 5, 'b');
  const { producerId, producerEpoch } = one.identity;
  await one.send('is behind', 0, 'b', { as: { producerId, producerEpoch: producerEpoch - 1 } });
  await one.send('is somebody else', 0, 'b', { as: { producerId: 99_999_999, producerEpoch }, partition: 1 });
  const before = one.identity;
  await one.end('commits', true);
  const after = one.identity;
  await one.end('commits again', true, { as: before });
  await one.end('aborts what is committed', false, { as: before });
  await one.send('is behind', 1, 'b', { as: before });
  await one.end('commits nothing', true, { as: after });
  await one.send('begins too high', 5, 'b');
  await one.send('sends', 0, 'b');
  const other = await open(stage, 'one');
  await other.init('takes over');
  await settled(async () => (await other.producer.init()) === 'NONE');
  stage.note('took over', other.identity.producerEpoch - after.producerEpoch);
  await one.send('is fenced', 1, 'c');
  await one.end('is fenced', true);
  await readAll(stage);
};

export const transactionsOfVersion1: Scenario = async (stage) => {
  await stage.topic(stage.name('orders'), 3);
  const two = await open(stage, 'two');
  await two.init('begins', undefined, 3);
  await two.send('sends where it has not said', 0, 'a', { version: 9 });
  await two.send('sends where it has not said', 0, 'a', { version: 11 });
  await two.add('adds', [0, 1]);
  await two.add('adds again', [0]);
  await two.add('adds what there is not', [0, 9]);
  const { producerId } = two.identity;
  await two.add('is behind', [0], { as: { producerId, producerEpoch: -1 } });
  await two.add('is behind', [0], { as: { producerId, producerEpoch: -1 }, version: 0 });
  await two.add('is somebody else', [0], { as: { producerId: 424_242, producerEpoch: 0 } });
  await two.send('sends', 0, 'a', { version: 9 });
  await two.end('commits', true, { version: 3 });
  await two.end('commits again', true, { version: 3 });
  await two.end('aborts what is committed', false, { version: 3 });
  await two.add('adds', [0]);
  await two.send('sends', 1, 'b', { version: 9 });
  await two.end('aborts', false, { version: 3 });
  await two.end('aborts again', false, { version: 3 });
  await two.end('is behind', false, { as: { producerId, producerEpoch: -1 }, version: 1 });
  await two.end('is somebody else', false, { as: { producerId: 999, producerEpoch: 0 }, version: 3 });
  await readAll(stage);
};

export const epochs: Scenario = async (stage) => {
  await stage.topic(stage.name('orders'), 1);
  const three = await open(stage, 'three');
  await three.init('begins');
  const first = three.identity;
  await three.init('bumps', first);
  const second = three.identity;
  await three.init('bumps again', first);
  await three.init('bumps on', second);
  await three.init('is behind', first);
  await three.init('is behind', first, 3);
  await three.init('is somebody else', { producerId: 777_777, producerEpoch: 0 });
  const four = await open(stage, 'four');
  await four.init('begins as somebody', { producerId: 777_777, producerEpoch: 3 });
};

export const transactionalOffsets: Scenario = async (stage) => {
  await stage.topic(stage.name('orders'), 1);
  const groupId = stage.name('group');
  await stage.coordinator(groupId, 0);
  const five = await open(stage, 'five');
  const client = await stage.connect();
  const committed = async (requireStable: boolean): Promise<void> => {
    const groups = [{ groupId, topics: [{ name: stage.name('orders'), partitionIndexes: [0] }] }];
    const [one] = (await client.send(OffsetFetch, 8, { groups, requireStable })).groups[0]?.topics[0]?.partitions ?? [];
    stage.note(`offset, stable ${requireStable}`, one && [errorName(one.errorCode), one.committedOffset]);
  };
  const stable = () =>
    settled(async () => {
      const groups = [{ groupId, topics: [{ name: stage.name('orders'), partitionIndexes: [0] }] }];
      const answer = await client.send(OffsetFetch, 8, { groups, requireStable: true });
      return answer.groups[0]?.topics[0]?.partitions[0]?.errorCode === 0;
    });
  await five.init('begins');
  await five.commitOffset('commits where it has not said', groupId, 5, { version: 3 });
  await five.commitOffset('commits where it has not said', groupId, 5, { version: 4 });
  await five.commitOffset('commits', groupId, 5);
  await committed(true);
  await committed(false);
  const before = five.identity;
  await five.end('commits', true);
  await stable();
  await committed(true);
  await five.commitOffset('is behind', groupId, 6, { as: before });
  await five.addOffsets('adds', groupId);
  await five.addOffsets('is behind', groupId, { as: before });
  await five.addOffsets('is behind', groupId, { as: before, version: 1 });
  await five.commitOffset('commits', groupId, 9, { version: 3 });
  await five.end('aborts', false);
  await stable();
  await committed(true);
};

/** Offsets that come with a member's place in its group are fenced by it. */
export const transactionalOffsetsOfMembers: Scenario = async (stage) => {
  const topic = stage.name('orders');
  await stage.topic(topic, 1);
  const six = await open(stage, 'six');
  await six.init('begins');
  const commits = async (groupId: string, memberId: string, generationId: number): Promise<void> => {
    const place = { memberId, generationId };
    for (const version of [3, 4, 5]) {
      await six.addOffsets(`adds for v${version}`, groupId);
      const commit = (what: string, member: object): Promise<void> =>
        six.commitOffset(`${what} v${version}`, groupId, 5, { version, member });
      await commit('commits', place);
      await commit('is behind', { memberId, generationId: generationId - 1 });
      await commit('is ahead', { memberId, generationId: generationId + 1 });
      await commit('is somebody else', { memberId: 'somebody', generationId });
      await commit('has a name that nobody has', { ...place, groupInstanceId: 'nobody' });
      await commit('is nobody', {});
      await commit('has no generation', { memberId });
      await commit('has no id', { generationId });
      await six.end('aborts', false);
    }
  };
  const classicId = stage.name('classic');
  await stage.coordinator(classicId, 0);
  const member = new GroupMember(await stage.connect(), classicId);
  await (
    await member.joiningWithId({ topics: [topic], sessionTimeoutMs: 30_000 })
  )();
  await member.sync({ [member.memberId]: 'all' });
  stage.alias(member.memberId, 'the member');
  await commits(classicId, member.memberId, member.generation);
  await member.leave();

  const consumerId = stage.name('consumer');
  await stage.coordinator(consumerId, 0);
  const client = await stage.connect();
  const beat = (memberEpoch: number): Promise<{ memberEpoch: number; errorCode: number }> =>
    client.send(ConsumerGroupHeartbeat, 1, {
      groupId: consumerId,
      memberId: 'a',
      memberEpoch,
      rebalanceTimeoutMs: 5_000,
      subscribedTopicNames: [topic],
      topicPartitions: [],
    });
  const { memberEpoch } = await beat(0);
  await commits(consumerId, 'a', memberEpoch);
};
