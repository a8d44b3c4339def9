import type { OffsetToCommit } from '../../core/consumer/index.js';
import { Deferred } from '../../core/support/index.js';
import { aPartition } from '../spec-support/delivery.js';
import { turns } from '../spec-support/hand-clock.js';
import { aRecord } from '../spec-support/records.js';
import { PartitionCommits } from './partition-commits.js';

function setUp() {
  const offsets: number[] = [];
  let answer = (): Promise<void> => Promise.resolve();
  const consumer = {
    commit: async (positions: readonly OffsetToCommit[] = []): Promise<void> => {
      await answer();
      offsets.push(...positions.map(({ offset }) => offset));
    },
  };
  const commits = PartitionCommits.of(aPartition());
  return {
    commits,
    consumer,
    offsets,
    answerWith: (next: () => Promise<void>) => void (answer = next),
    handle: (offset: number) => commits.handled(aRecord({ offset })),
    commit: (offset: number) => commits.commit(consumer, aRecord({ offset })),
    leaveOut: (offset: number) => {
      commits.leftOut(aRecord({ offset }));
      return commits.settle(consumer);
    },
  };
}

describe('A record that is left out where handlers commit by themselves', () => {
  it('is committed by itself where nothing before it waits for a commit', async () => {
    const { handle, commit, leaveOut, offsets } = setUp();
    await leaveOut(0);
    handle(1);
    await commit(1);
    await leaveOut(2);
    await leaveOut(3);
    expect(offsets).toEqual([1, 2, 3, 4]);
  });

  it('commits nothing that a handler has handled and not committed, and goes with its commit', async () => {
    const { handle, commit, leaveOut, offsets } = setUp();
    handle(0);
    handle(1);
    await leaveOut(2);
    expect(offsets).toEqual([]);
    await commit(0);
    expect(offsets).toEqual([1]);
    await commit(1);
    expect(offsets).toEqual([1, 2, 3]);
  });

  it('is covered by the commit of what was handled after it', async () => {
    const { handle, commit, leaveOut, offsets } = setUp();
    handle(0);
    await leaveOut(1);
    handle(2);
    await commit(2);
    expect(offsets).toEqual([3]);
  });

  it('takes back no commit that is further', async () => {
    const { commit, leaveOut, offsets } = setUp();
    await commit(5);
    await leaveOut(4);
    expect(offsets).toEqual([6]);
  });

  it('waits for the commit that is under way, and is not committed when that fails', async () => {
    const { handle, commit, leaveOut, offsets, answerWith } = setUp();
    for (const outcome of ['taken', 'refused']) {
      const answered = new Deferred<void>();
      answerWith(() => answered.promise);
      handle(offsets.length);
      const committing = commit(offsets.length).catch(() => undefined);
      await leaveOut(offsets.length + 1);
      await turns();
      answerWith(() => Promise.resolve());
      if (outcome === 'taken') answered.resolve();
      else answered.reject(new Error('the group does not take it'));
      await committing;
      expect(offsets).toEqual([1, 2]);
    }
  });

  it('goes with the next commit when the group did not take its own', async () => {
    const { handle, commit, leaveOut, offsets, answerWith } = setUp();
    answerWith(() => Promise.reject(new Error('the group does not take it')));
    await leaveOut(0);
    answerWith(() => Promise.resolve());
    await leaveOut(1);
    handle(2);
    await commit(2);
    expect(offsets).toEqual([2, 3]);
  });

  it('is of one tenure: what was handled in another says nothing', () => {
    const partition = aPartition();
    expect(PartitionCommits.of(partition)).toBe(PartitionCommits.of({ signal: partition.signal }));
    expect(PartitionCommits.of(partition)).not.toBe(PartitionCommits.of(aPartition()));
  });
});
