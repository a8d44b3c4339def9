import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import { Deadline, Deferred, KrafkaConnectionError, type KrafkaError } from '../../support/index.js';
import { AssignedPartition } from '../assigned-partition.js';
import type { MemberIdentity } from '../group/group-member.js';
import { settled } from '../spec-support/fake-clock.js';
import { fakePorts } from '../spec-support/ports.js';
import { ScriptedCoordinator } from '../spec-support/scripted-coordinator.js';
import { OffsetCommitter } from './offset-committer.js';

interface Committed {
  readonly name: string;
  readonly partitions: { partitionIndex: number; committedOffset: number }[];
}

/** Answers an OffsetCommit: each partition with the error that the spec names, else with none. */
const answering =
  (errors: Record<number, ErrorName> = {}) =>
  (body: { topics: Committed[] }) => ({
    topics: body.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: ERROR_CODES[errors[partitionIndex] ?? 'NONE'],
      })),
    })),
  });

function setUp(options: { intervalMs?: number | undefined; partitions?: number } = {}) {
  const { intervalMs = 5_000, partitions = 1 } = options;
  const ports = fakePorts();
  const coordinator = new ScriptedCoordinator().always('OffsetCommit', answering());
  const heeded: number[] = [];
  const failed: KrafkaError[] = [];
  const told: unknown[] = [];
  const self = {
    identity: { memberId: 'm', generation: 3, groupInstanceId: 'i', life: 0 } as MemberIdentity | undefined,
  };
  const owned = Array.from(
    { length: partitions },
    (_, number) => new AssignedPartition('t', number, 'committed', { maxDecompressedBytes: 1 }, () => committer.arm()),
  );
  const committer: OffsetCommitter = new OffsetCommitter({
    coordinator,
    ports,
    requestTimeoutMs: 30_000,
    intervalMs: 'intervalMs' in options ? options.intervalMs : intervalMs,
    partitions: () => owned,
    identity: () => self.identity,
    heed: (code) => heeded.push(code),
    onCommitted: (offsets) => told.push(...offsets),
    onFailed: (error) => failed.push(error),
  });
  for (const partition of owned) partition.begin(0, -1, true);
  /** Says that everything before an offset is done. */
  const done = (next: number, number = 0): void => {
    const partition = owned[number] as AssignedPartition;
    partition.handedOut(next, 1);
    partition.doneThrough(partition.commits.timeline, next, 1);
  };
  const sent = (): (number | undefined)[] =>
    coordinator.requests('OffsetCommit').map(({ body }) => body.topics[0].partitions[0].committedOffset);
  const deadline = (): Deadline => new Deadline(ports.clock, 10_000, 'defaultApiTimeoutMs');
  return { committer, coordinator, heeded, failed, told, self, owned, done, sent, deadline, ...ports };
}

describe('OffsetCommitter', () => {
  it('commits what is done once an interval, however many records that is', async () => {
    const { done, sent, clock } = setUp();
    for (let next = 1; next <= 1_000; next++) done(next);
    await clock.advance(4_999);
    expect(sent()).toEqual([]);
    await clock.advance(1);
    expect(sent()).toEqual([1_000]);
  });

  it('has a timer only while something is uncommitted', async () => {
    const { done, clock } = setUp();
    expect(clock.timers).toEqual([]);
    done(1);
    expect(clock.timers).toEqual([5_000]);
    await clock.advance(5_000);
    expect(clock.timers).toEqual([]);
    done(2);
    expect(clock.timers).toEqual([5_000]);
  });

  it('goes on with what was done while a commit was under way', async () => {
    const { coordinator, done, sent, clock } = setUp();
    coordinator.next('OffsetCommit', (body: { topics: Committed[] }) => {
      done(9);
      return answering()(body);
    });
    done(5);
    await clock.advance(5_000);
    expect(clock.timers).toEqual([5_000]);
    await clock.advance(5_000);
    expect(sent()).toEqual([5, 9]);
    expect(clock.timers).toEqual([]);
  });

  it('commits all partitions in one request, with generation, member, instance and leader epoch', async () => {
    const { coordinator, done, clock, told } = setUp({ partitions: 3 });
    done(5, 0);
    done(7, 2);
    await clock.advance(5_000);
    expect(coordinator.requests('OffsetCommit')).toHaveLength(1);
    const place = { committedLeaderEpoch: 1, committedMetadata: '' };
    expect(coordinator.sent[0]?.body).toEqual({
      groupId: 'g',
      generationIdOrMemberEpoch: 3,
      memberId: 'm',
      groupInstanceId: 'i',
      topics: [
        {
          name: 't',
          partitions: [
            { partitionIndex: 0, committedOffset: 5, ...place },
            { partitionIndex: 2, committedOffset: 7, ...place },
          ],
        },
      ],
    });
    expect(told).toMatchObject([
      { topic: 't', partition: 0, offset: 5 },
      { topic: 't', partition: 2, offset: 7 },
    ]);
  });

  it('never commits by itself when it is not to', async () => {
    const { done, sent, clock, committer, owned, deadline } = setUp({ intervalMs: undefined });
    done(5);
    await clock.advance(60_000);
    expect(sent()).toEqual([]);
    await committer.commitDone(owned, deadline());
    expect(sent()).toEqual([5]);
  });

  it('sends nothing when the group holds everything already', async () => {
    const { sent, committer, owned, deadline } = setUp();
    await committer.commitDone(owned, deadline());
    expect(sent()).toEqual([]);
  });

  it('lets no older offset land on a newer one: one request at a time, in order', async () => {
    const { coordinator, done, sent, committer, owned, deadline } = setUp();
    const answers: (() => void)[] = [];
    coordinator.always(
      'OffsetCommit',
      (body: { topics: Committed[] }) => new Promise((resolve) => answers.push(() => resolve(answering()(body)))),
    );
    done(5);
    const first = committer.commitDone(owned, deadline());
    await settled();
    done(9);
    const second = committer.commitDone(owned, deadline());
    const third = committer.commit([{ topic: 't', partition: 0, offset: 12 }], deadline());
    await settled();
    expect(sent()).toEqual([5]);
    answers[0]?.();
    await first;
    await settled();
    expect(sent()).toEqual([5, 9]);
    answers[1]?.();
    await second;
    await settled();
    answers[2]?.();
    await third;
    expect(sent()).toEqual([5, 9, 12]);
  });

  it('has nobody wait in line for longer than it may: its turn passes then', async () => {
    const { coordinator, done, sent, clock, committer, owned, deadline } = setUp();
    const silence = new Deferred<object>();
    coordinator.next('OffsetCommit', () => silence.promise);
    done(5);
    const ahead = committer.commitDone(owned, new Deadline(clock, 60_000, 'requestTimeoutMs'));
    await settled();
    done(9);
    const late = committer
      .commit([{ topic: 't', partition: 0, offset: 7 }], deadline())
      .catch((error: unknown) => error);
    await clock.advance(10_000);
    expect(await late).toMatchObject({ code: 'TIMEOUT', budget: 'defaultApiTimeoutMs' });
    const after = committer.commitDone(owned, deadline());
    silence.resolve(answering()(coordinator.requests('OffsetCommit')[0]?.body));
    await Promise.all([ahead, after]);
    expect(sent()).toEqual([5, 9]);
  });

  describe('after an offset was committed by hand', () => {
    const byHand = async (set: ReturnType<typeof setUp>, offset: number): Promise<void> => {
      await set.committer.commit([{ topic: 't', partition: 0, offset }], set.deadline());
    };

    it('commits by itself only what is done beyond it', async () => {
      const set = setUp();
      const { done, sent, clock, owned, committer, deadline } = set;
      done(9);
      await byHand(set, 15);
      done(12);
      await clock.advance(5_000);
      await committer.commitDone(owned, deadline());
      expect(sent()).toEqual([15]);
      done(15);
      expect(owned[0]?.commits.dirty).toBe(false);
      done(16);
      await clock.advance(5_000);
      expect(sent()).toEqual([15, 16]);
      expect(clock.timers).toEqual([]);
    });

    it('goes on from behind what is done, too', async () => {
      const set = setUp();
      const { done, sent, clock } = set;
      done(9);
      await clock.advance(5_000);
      await byHand(set, 5);
      done(10);
      await clock.advance(5_000);
      expect(sent()).toEqual([9, 5, 10]);
    });

    it('commits what a seek leaves behind, also one that came before the answer', async () => {
      const set = setUp();
      const { coordinator, done, sent, clock, owned } = set;
      done(9);
      await byHand(set, 15);
      owned[0]?.seek(3);
      await clock.advance(5_000);
      coordinator.next('OffsetCommit', (body: { topics: Committed[] }) => {
        owned[0]?.seek(4);
        return answering()(body);
      });
      await byHand(set, 20);
      await clock.advance(5_000);
      expect(sent()).toEqual([15, 3, 20, 4]);
    });

    it('commits nothing before it when what is not done is handed out anew', async () => {
      const set = setUp();
      const { done, sent, clock, owned } = set;
      done(9);
      await byHand(set, 11);
      owned[0]?.goBack();
      await clock.advance(5_000);
      expect(sent()).toEqual([11]);
    });
  });

  it('commits what a seek leaves behind, and not what a handler from before it did', async () => {
    const { done, sent, clock, owned } = setUp();
    const [partition] = owned as [AssignedPartition];
    done(5);
    const { timeline } = partition.commits;
    partition.seek(2);
    partition.doneThrough(timeline, 6, 1);
    await clock.advance(5_000);
    expect(sent()).toEqual([2]);
  });

  it('commits nothing of a partition that was given up meanwhile', async () => {
    const { done, sent, clock, owned } = setUp();
    done(5);
    owned[0]?.release(new Error('gone'));
    await clock.advance(5_000);
    expect(sent()).toEqual([]);
  });

  it('tries again with what failed and may pass, and only that', async () => {
    const { coordinator, done, clock, committer, owned, deadline, told } = setUp({ partitions: 2 });
    coordinator.next('OffsetCommit', answering({ 1: 'COORDINATOR_LOAD_IN_PROGRESS' }));
    done(5, 0);
    done(7, 1);
    const committed = committer.commitDone(owned, deadline());
    await clock.advance(1_000);
    await committed;
    const partitions = coordinator.requests('OffsetCommit').map(({ body }) => body.topics[0].partitions.length);
    expect(partitions).toEqual([2, 1]);
    expect(told).toHaveLength(2);
    expect(owned.map(({ commits }) => commits.dirty)).toEqual([false, false]);
  });

  it('tries again when the connection fails, until the deadline', async () => {
    const { coordinator, done, clock, committer, owned, deadline } = setUp();
    coordinator.always('OffsetCommit', () => Promise.reject(new KrafkaConnectionError('b:1', 'reset')));
    done(5);
    const committed = committer.commitDone(owned, deadline()).catch((error: unknown) => error);
    await clock.advance(10_000);
    expect(await committed).toMatchObject({ code: 'TIMEOUT', budget: 'defaultApiTimeoutMs' });
    expect(owned[0]?.commits.dirty).toBe(true);
  });

  it.each(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'REBALANCE_IN_PROGRESS'] as const)(
    '%s is told to the member and to whoever asked, and not tried again',
    async (name) => {
      const { coordinator, committer, deadline, heeded } = setUp();
      coordinator.next('OffsetCommit', answering({ 0: name }));
      const code = name === 'FENCED_INSTANCE_ID' ? 'FENCED' : name;
      await expect(committer.commit([{ topic: 't', partition: 0, offset: 1 }], deadline())).rejects.toMatchObject({
        code,
      });
      expect(heeded).toEqual([ERROR_CODES[name]]);
      expect(coordinator.requests('OffsetCommit')).toHaveLength(1);
    },
  );

  it('tries a stale member epoch again, as the member then is', async () => {
    const { coordinator, committer, deadline, clock, self } = setUp();
    coordinator.next('OffsetCommit', (body: { topics: Committed[] }) => {
      self.identity = { memberId: 'm', generation: 4, groupInstanceId: null, life: 0 };
      return answering({ 0: 'STALE_MEMBER_EPOCH' })(body);
    });
    const committed = committer.commit([{ topic: 't', partition: 0, offset: 1 }], deadline());
    await clock.advance(1_000);
    await committed;
    expect(coordinator.requests('OffsetCommit').map(({ body }) => body.generationIdOrMemberEpoch)).toEqual([3, 4]);
  });

  describe('while a commit is tried again', () => {
    const later = 'COORDINATOR_LOAD_IN_PROGRESS';
    const rejection = (work: Promise<unknown>): Promise<unknown> => work.then(String, (error: unknown) => error);

    it.each(['what is done', 'an offset that was given'])('a partition goes: %s is not sent any more', async (what) => {
      const { coordinator, done, clock, committer, owned, deadline, self, sent } = setUp();
      coordinator.next('OffsetCommit', answering({ 0: later }));
      done(5);
      const given = [{ topic: 't', partition: 0, offset: 5 }];
      const committed = rejection(
        what === 'what is done' ? committer.commitDone(owned, deadline()) : committer.commit(given, deadline()),
      );
      await settled();
      owned[0]?.release(new Error('it is another member by now that commits'));
      self.identity = { memberId: 'm', generation: 4, groupInstanceId: null, life: 1 };
      await clock.advance(1_000);
      expect(await committed).toMatchObject({ code: 'REVOKED', message: expect.stringContaining('t[0]') as string });
      expect(sent()).toEqual([5]);
    });

    it('one of two partitions goes: the other is committed, and the failure names the one', async () => {
      const { coordinator, done, clock, committer, owned, deadline, told } = setUp({ partitions: 2 });
      coordinator.next('OffsetCommit', answering({ 0: later, 1: later }));
      done(5, 0);
      done(7, 1);
      const committed = rejection(committer.commitDone(owned, deadline()));
      await settled();
      owned[0]?.release(new Error('gone'));
      await clock.advance(1_000);
      expect(await committed).toMatchObject({ code: 'REVOKED', message: expect.stringContaining('t[0]') as string });
      expect(told).toMatchObject([{ partition: 1, offset: 7 }]);
    });

    it('the membership is lost: no offset of a former one is sent in the next, owned or not', async () => {
      const { coordinator, clock, committer, deadline, self } = setUp();
      coordinator.next('OffsetCommit', answering({ 9: later }));
      const committed = rejection(committer.commit([{ topic: 't', partition: 9, offset: 1 }], deadline()));
      await settled();
      self.identity = { memberId: 'm', generation: 4, groupInstanceId: null, life: 1 };
      await clock.advance(1_000);
      expect(await committed).toMatchObject({ code: 'UNKNOWN_MEMBER_ID' });
      expect(coordinator.requests('OffsetCommit')).toHaveLength(1);
    });

    it('what was sought meanwhile is sent, and not what was done before', async () => {
      const { coordinator, done, clock, committer, owned, deadline, sent } = setUp();
      coordinator.next('OffsetCommit', answering({ 0: later }));
      done(5);
      const committed = committer.commitDone(owned, deadline());
      await settled();
      owned[0]?.seek(2);
      await clock.advance(1_000);
      await committed;
      expect(sent()).toEqual([5, 2]);
    });
  });

  it('gives up soon on a topic that is gone, and commits the others', async () => {
    const { coordinator, committer, clock, deadline, owned, done } = setUp({ partitions: 2 });
    coordinator.always('OffsetCommit', answering({ 1: 'UNKNOWN_TOPIC_OR_PARTITION' }));
    done(5, 0);
    done(5, 1);
    const committed = committer.commitDone(owned, deadline()).catch((error: unknown) => error);
    await clock.advance(1_000);
    expect(await committed).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 't', partition: 1 });
    expect(owned.map(({ commits }) => commits.dirty)).toEqual([false, true]);
    expect(coordinator.requests('OffsetCommit')).toHaveLength(3);
  });

  it('waits with its own commits while it is a member of nothing, and tells whoever asks', async () => {
    const { done, sent, clock, self, committer, deadline, failed } = setUp();
    self.identity = undefined;
    done(5);
    await clock.advance(15_000);
    expect(sent()).toEqual([]);
    expect(failed).toEqual([]);
    await expect(committer.commit([{ topic: 't', partition: 0, offset: 1 }], deadline())).rejects.toMatchObject({
      code: 'REBALANCE_IN_PROGRESS',
    });
    self.identity = { memberId: 'm', generation: 4, groupInstanceId: null, life: 0 };
    await clock.advance(5_000);
    expect(sent()).toEqual([5]);
  });

  it('tells when a commit of its own failed, and tries again at the next interval', async () => {
    const { coordinator, done, clock, failed, sent } = setUp();
    coordinator.next('OffsetCommit', answering({ 0: 'OFFSET_METADATA_TOO_LARGE' }));
    done(5);
    await clock.advance(5_000);
    expect(failed).toMatchObject([{ code: 'OFFSET_METADATA_TOO_LARGE' }]);
    await clock.advance(5_000);
    expect(sent()).toEqual([5, 5]);
  });

  it('commits no more by itself once it is closed', async () => {
    const { done, sent, clock, committer } = setUp();
    done(5);
    committer.close();
    done(6);
    await clock.advance(60_000);
    expect(sent()).toEqual([]);
    expect(clock.timers).toEqual([]);
  });
});
