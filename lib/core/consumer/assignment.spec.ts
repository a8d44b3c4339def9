import { Deadline, Deferred, KrafkaError, KrafkaProtocolError, TypedEvents } from '../support/index.js';
import type { AssignedPartition } from './assigned-partition.js';
import { Assignment } from './assignment.js';
import type { ConsumerEvents } from './consumer-events.js';
import type { ConsumerSettings, RebalanceListener } from './consumer-options.js';
import type { Delivery } from './delivery/delivery.js';
import type { KeptOffset } from './offsets/committed-offsets.js';
import { settled } from './spec-support/fake-clock.js';
import { fakePorts } from './spec-support/ports.js';
import type { TopicPartition } from './topic-partition.js';

const t = (...partitions: number[]): TopicPartition[] => partitions.map((partition) => ({ topic: 't', partition }));
const numbers = (partitions: Iterable<TopicPartition>): string =>
  Array.from(partitions, ({ partition }) => partition).join(',');

function setUp(
  options: {
    settings?: Partial<ConsumerSettings>;
    kept?: Record<string, Partial<KeptOffset>>;
    listener?: RebalanceListener;
  } = {},
) {
  const ports = fakePorts();
  const log: string[] = [];
  const fatal: KrafkaError[] = [];
  const events = new TypedEvents<ConsumerEvents>();
  const heard: [string, unknown][] = [];
  for (const name of ['assigned', 'revoked', 'lost', 'reset', 'commitFailed'] as const) {
    events.on(name, (payload) => heard.push([name, payload]));
  }
  const self = {
    member: true,
    commit: (_deadline: Deadline) => Promise.resolve(),
    committed: undefined as Error | undefined,
  };
  const note =
    (what: string) =>
    (partitions: Iterable<TopicPartition>): void =>
      void log.push(`${what} ${numbers(partitions)}`);
  const one =
    (what: string) =>
    (partition: AssignedPartition, detail?: unknown): void =>
      void log.push(`${what} ${partition.partition}${detail === undefined ? '' : ` ${JSON.stringify(detail)}`}`);
  const assignment = new Assignment({
    settings: {
      offsetReset: 'earliest',
      maxDecompressedBytes: 1,
      autoCommit: true,
      rebalanceListener: options.listener ?? {},
      ...options.settings,
    },
    ports,
    events,
    fetcher: { add: note('fetch'), remove: note('stop fetching'), wake: () => undefined } as never,
    resolver: { resolve: one('look up'), drop: () => undefined } as never,
    validator: { validate: one('validate'), drop: () => undefined } as never,
    committed: () =>
      self.committed === undefined
        ? Promise.resolve({
            kept: new Map(Object.entries(options.kept ?? {})) as unknown as ReadonlyMap<string, KeptOffset>,
            refused: new Map(),
          })
        : Promise.reject(self.committed),
    commit: (partitions, deadline) => {
      note('commit')(partitions);
      return self.commit(deadline);
    },
    onUncommitted: () => undefined,
    isMember: () => self.member,
    onFatal: (error) => fatal.push(error),
  });
  const gates = new Map<number, Deferred<void>>();
  const delivery: Delivery = {
    add: one('deliver'),
    ready: one('ready'),
    remove: async (partition) => {
      one('stop delivering')(partition);
      await gates.get(partition.partition)?.promise;
    },
    underWay: () => undefined,
    idleRatio: 1,
    end: () => undefined,
  };
  assignment.attach(delivery);
  log.length = 0;
  const get = (partition: number): AssignedPartition => assignment.get('t', partition) as AssignedPartition;
  const deadline = (): Deadline => new Deadline(ports.clock, 1_000, 'rebalanceTimeoutMs');
  return { assignment, log, fatal, events, heard, self, gates, get, deadline, ...ports };
}

describe('Assignment', () => {
  it('begins where the group stands, else where offsetReset says', async () => {
    const { assignment, log, get, heard } = setUp({ kept: { 't/0': { offset: 7, leaderEpoch: -1 } } });
    await assignment.assign(t(0, 1));
    await settled();
    expect(get(0)).toMatchObject({ position: 7, phase: { kind: 'reading' } });
    expect(get(0).commits.dirty).toBe(false);
    expect(log).toEqual(['fetch 0,1', 'deliver 0', 'deliver 1', 'look up 1 "earliest"']);
    assignment.positions.resolved(get(1), { offset: 3, leaderEpoch: -1 });
    expect(get(1).position).toBe(3);
    expect(get(1).commits.dirty).toBe(true);
    expect(heard.at(-1)).toEqual([
      'reset',
      { topic: 't', partition: 1, to: 3, reason: 'no committed offset', from: undefined },
    ]);
  });

  it('is settled when every position is known, and not before', async () => {
    const { assignment, get } = setUp();
    let known = false;
    void assignment.settled.then(() => (known = true));
    await assignment.assign(t(0, 1));
    await settled();
    assignment.positions.resolved(get(0), { offset: 3, leaderEpoch: -1 });
    await settled();
    expect(known).toBe(false);
    assignment.positions.resolved(get(1), { offset: 3, leaderEpoch: -1 });
    await settled();
    expect(known).toBe(true);
  });

  it('is settled when there is nothing to read', async () => {
    const { assignment } = setUp();
    await assignment.assign([]);
    await expect(assignment.settled).resolves.toBeUndefined();
  });

  it('asks for committed offsets until they are known', async () => {
    const { assignment, self, get } = setUp({ kept: { 't/0': { offset: 7, leaderEpoch: -1 } } });
    self.committed = new KrafkaProtocolError('COORDINATOR_LOAD_IN_PROGRESS', 'x', { retriable: true });
    const failing = assignment.assign(t(0));
    await Promise.resolve();
    self.committed = undefined;
    await failing;
    await settled();
    expect(get(0).position).toBe(7);
  });

  it('ends the consumer when it may not know them', async () => {
    const { assignment, self, fatal } = setUp();
    self.committed = new KrafkaProtocolError('GROUP_AUTHORIZATION_FAILED', 'x');
    await assignment.assign(t(0));
    await settled();
    expect(fatal).toEqual([self.committed]);
  });

  it('lets the listener seek before anything is read, and asks nothing about what was sought', async () => {
    const { assignment, log, get } = setUp({
      listener: { assigned: async () => assignment.positions.seek(get(0), 42) },
    });
    await assignment.assign(t(0));
    await settled();
    expect(get(0).position).toBe(42);
    expect(log).toEqual(['fetch 0', 'deliver 0']);
  });

  it('compares a committed offset with the log when there has been another leader since', async () => {
    const { assignment, log, get } = setUp({
      kept: { 't/0': { offset: 7, leaderEpoch: 2 }, 't/1': { offset: 7, leaderEpoch: 4 } },
    });
    const assigned = assignment.assign(t(0, 1));
    for (const number of [0, 1]) get(number).currentLeaderEpoch = 4;
    await assigned;
    await settled();
    expect(log.filter((line) => line.startsWith('validate'))).toEqual(['validate 0']);
    expect([get(0).phase.kind, get(1).phase.kind]).toEqual(['validating', 'reading']);
    assignment.positions.valid(get(0));
    expect(get(0).phase.kind).toBe('reading');
  });

  describe('giving back', () => {
    it('stops reading, waits for handlers, commits, tells, in that order', async () => {
      const { assignment, log, gates, get, deadline, heard } = setUp({
        listener: { revoked: (partitions) => void log.push(`told ${numbers(partitions)}`) },
      });
      await assignment.assign(t(0, 1));
      await settled();
      log.length = 0;
      const gate = new Deferred<void>();
      gates.set(0, gate);
      const partition = get(0);
      const revoked = assignment.revoke(t(0), deadline());
      await settled();
      expect(log).toEqual(['stop fetching 0', 'stop delivering 0']);
      expect(partition.signal.aborted).toBe(true);
      expect(partition.owned).toBe(true);
      gate.resolve();
      await revoked;
      expect(log.slice(2)).toEqual(['commit 0', 'told 0']);
      expect(partition.owned).toBe(false);
      expect(numbers(assignment.owned)).toBe('1');
      expect(heard.at(-1)).toEqual(['revoked', { partitions: t(0) }]);
    });

    it('waits for handlers no longer than leaves time to commit, and remembers whom it left', async () => {
      const { assignment, log, gates, self, deadline, clock } = setUp();
      await assignment.assign(t(0, 1));
      await settled();
      gates.set(0, new Deferred());
      const leftMs: number[] = [];
      self.commit = ({ remainingMs }) => Promise.resolve(void leftMs.push(remainingMs));
      const whole = deadline();
      const revoked = assignment.revoke(t(0, 1), whole);
      for (let passed = 0; passed < 1_000 && leftMs.length === 0; passed += 10) await clock.advance(10);
      await revoked;
      expect(log).toContain('commit 0,1');
      expect(leftMs[0]).toBeGreaterThan(100);
      expect(numbers(assignment.ending)).toBe('0');
      expect(assignment.owned).toEqual([]);
    });

    it('knows whose handlers have not ended also while it cannot commit', async () => {
      const { assignment, gates, self, deadline, clock } = setUp();
      await assignment.assign(t(0, 1));
      gates.set(0, new Deferred());
      const committed = new Deferred<void>();
      self.commit = () => committed.promise;
      const revoked = assignment.revoke(t(0, 1), deadline());
      await clock.advance(1_000);
      expect(numbers(assignment.owned)).toBe('0,1');
      expect(numbers(assignment.ending)).toBe('0');
      committed.resolve();
      await revoked;
      expect(numbers(assignment.ending)).toBe('0');
    });

    it('is committed and told once when whoever closes takes over from a rebalance', async () => {
      const { assignment, log, gates, deadline, heard, clock } = setUp();
      await assignment.assign(t(0));
      await settled();
      const gate = new Deferred<void>();
      gates.set(0, gate);
      const rebalance = assignment.revoke(t(0), deadline());
      await settled();
      const closing = assignment.revoke(t(0), new Deadline(clock, 0, 'close timeoutMs'));
      await clock.advance(0);
      await closing;
      gate.resolve();
      await rebalance;
      expect(heard.filter(([name]) => name === 'revoked')).toHaveLength(1);
      expect(log.filter((line) => line.startsWith('commit'))).toEqual(['commit 0']);
    });

    it('remembers whom it left only until their handlers have ended', async () => {
      const { assignment, gates, deadline, clock } = setUp();
      await assignment.assign(t(0, 1));
      const gate = new Deferred<void>();
      gates.set(0, gate);
      gates.set(1, gate);
      await assignment.lose(t(1));
      const revoked = assignment.revoke(t(0), deadline());
      await clock.advance(1_000);
      await revoked;
      expect(numbers(assignment.ending)).toBe('1,0');
      gate.resolve();
      await settled();
      expect(numbers(assignment.ending)).toBe('');
    });

    it('for good waits for handlers of what was given up and lost before, too', async () => {
      const { assignment, gates, deadline, clock, heard } = setUp();
      await assignment.assign(t(0, 1, 2));
      const gate = new Deferred<void>();
      gates.set(0, gate);
      gates.set(1, gate);
      await assignment.lose(t(1));
      const revoked = assignment.revoke(t(0), deadline());
      await clock.advance(1_000);
      await revoked;
      const given = assignment.giveUp(deadline());
      await settled();
      expect(numbers(assignment.owned)).toBe('2');
      gate.resolve();
      await given;
      expect(heard.at(-1)).toEqual(['revoked', { partitions: t(2) }]);
    });

    it('commits nothing where commits are left to the user', async () => {
      const { assignment, log, deadline } = setUp({ settings: { autoCommit: false } });
      await assignment.assign(t(0));
      await assignment.revoke(t(0), deadline());
      expect(log.filter((line) => line.startsWith('commit'))).toEqual([]);
    });

    it('is no giving back when the membership was lost meanwhile', async () => {
      const { assignment, log, self, gates, deadline, heard } = setUp();
      await assignment.assign(t(0));
      const gate = new Deferred<void>();
      gates.set(0, gate);
      const revoked = assignment.revoke(t(0), deadline());
      self.member = false;
      gate.resolve();
      await revoked;
      expect(log.filter((line) => line.startsWith('commit'))).toEqual([]);
      expect(heard.at(-1)?.[0]).toBe('lost');
    });

    it('gives back though the commit fails, and tells of that', async () => {
      const { assignment, self, deadline, heard } = setUp();
      await assignment.assign(t(0));
      const error = new KrafkaError('no', { code: 'X' });
      self.commit = () => Promise.reject(error);
      await assignment.revoke(t(0), deadline());
      expect(heard.slice(-2)).toEqual([
        ['commitFailed', { error }],
        ['revoked', { partitions: t(0) }],
      ]);
    });
  });

  it('takes nothing any more once everything is given up for good', async () => {
    const { assignment, log } = setUp();
    assignment.retire(new Error('closed'));
    await assignment.assign(t(0));
    await assignment.assignManually([{ topic: 't', partition: 1, offset: 3 }]);
    expect([assignment.owned, log]).toEqual([[], []]);
  });

  it('says what of the rebalance listener is under way', async () => {
    const told = new Deferred<void>();
    const { assignment, deadline } = setUp({ listener: { revoked: () => told.promise } });
    await assignment.assign(t(0));
    expect(assignment.listening).toBeUndefined();
    const revoked = assignment.revoke(t(0), deadline());
    await settled();
    expect(assignment.listening).toBe('revoked');
    told.resolve();
    await revoked;
    expect(assignment.listening).toBeUndefined();
  });

  it('waits for no handler of what is lost, and commits nothing of it', async () => {
    const { assignment, log, gates, get, heard } = setUp();
    await assignment.assign(t(0));
    gates.set(0, new Deferred());
    const partition = get(0);
    await assignment.lose(t(0));
    expect(partition).toMatchObject({ owned: false, signal: { aborted: true } });
    expect(log.filter((line) => line.startsWith('commit'))).toEqual([]);
    expect(heard.at(-1)).toEqual(['lost', { partitions: t(0) }]);
  });

  describe('positions that do not hold', () => {
    it('out of range are reset, which is told', async () => {
      const { assignment, log, get, heard } = setUp({ kept: { 't/0': { offset: 7, leaderEpoch: -1 } } });
      await assignment.assign(t(0));
      await settled();
      assignment.positions.outOfRange(get(0), new KrafkaError('x', { code: 'OFFSET_OUT_OF_RANGE' }));
      expect(log.at(-1)).toBe('look up 0 "earliest"');
      assignment.positions.resolved(get(0), { offset: 20, leaderEpoch: -1 });
      expect(heard.at(-1)).toEqual(['reset', { topic: 't', partition: 0, to: 20, reason: 'out of range', from: 7 }]);
    });

    it('are reset to so long ago', async () => {
      const { assignment, log, clock } = setUp({ settings: { offsetReset: { durationMs: 400 } } });
      clock.pass(5_000);
      await assignment.assign(t(0));
      await settled();
      expect(log.at(-1)).toBe(`look up 0 {"timestamp":${clock.now() - 400}}`);
    });

    it('behind a log that was cut off go on where it was, which is told', async () => {
      const { assignment, get, heard } = setUp({ kept: { 't/0': { offset: 7, leaderEpoch: -1 } } });
      await assignment.assign(t(0));
      await settled();
      assignment.positions.truncated(get(0), { offset: 5, leaderEpoch: 2 });
      expect(get(0)).toMatchObject({ position: 5, positionEpoch: 2 });
      expect(heard.at(-1)).toEqual(['reset', { topic: 't', partition: 0, to: 5, reason: 'truncated', from: 7 }]);
    });

    /** A partition that stands at 7 of which 5 and 6 are in somebody's hands, and what those were handed out on. */
    const inHand = async () => {
      const room = setUp({ kept: { 't/0': { offset: 5, leaderEpoch: -1 } } });
      await room.assignment.assign(t(0));
      await settled();
      const partition = room.get(0);
      partition.handedOut(7, 1);
      return { ...room, partition, from: { leaderEpoch: 1, timeline: partition.commits.timeline, isReadAhead: false } };
    };

    it('are not committed before what is in hand is done', async () => {
      const { assignment, partition, from, heard } = await inHand();
      assignment.positions.outOfRange(partition, new KrafkaError('x', { code: 'OFFSET_OUT_OF_RANGE' }));
      assignment.positions.resolved(partition, { offset: 20, leaderEpoch: 3 });
      expect(heard.at(-1)).toMatchObject(['reset', { from: 7, to: 20 }]);
      expect([partition.position, partition.commits.committable]).toEqual([20, 5]);
      partition.doneThrough(from.timeline, 7, 1);
      expect(partition.commits.toCommit()).toEqual({ offset: 20, leaderEpoch: 3 });
    });

    it.each([
      ['before', (): void => undefined],
      ['after', (a: Assignment, p: AssignedPartition): void => a.positions.resolved(p, { offset: 20, leaderEpoch: 3 })],
    ])(
      'are left for what a handler wants again %s they are known: a reset from there tells of it',
      async (_, found) => {
        const { assignment, partition, from, heard, clock } = await inHand();
        const error = new KrafkaError('x', { code: 'OFFSET_OUT_OF_RANGE' });
        assignment.positions.outOfRange(partition, error);
        found(assignment, partition);
        assignment.positions.nack(partition, { ...from, offset: 5 }, 10);
        expect(partition).toMatchObject({ position: 5, fetchOffset: 5, held: true, phase: { kind: 'reading' } });
        await clock.advance(10);
        expect(partition).toMatchObject({ held: false, commits: { committable: 5 } });
        assignment.positions.outOfRange(partition, error);
        assignment.positions.resolved(partition, { offset: 20, leaderEpoch: 3 });
        expect(heard.at(-1)).toEqual(['reset', { topic: 't', partition: 0, reason: 'out of range', from: 5, to: 20 }]);
        expect(partition.commits.committable).toBe(20);
      },
    );

    it('are left for another way of consuming, which begins with what is not done', async () => {
      const { assignment, partition } = await inHand();
      assignment.positions.outOfRange(partition, new KrafkaError('x', { code: 'OFFSET_OUT_OF_RANGE' }));
      assignment.attach(undefined);
      expect(partition).toMatchObject({ position: 5, phase: { kind: 'reading' }, commits: { committable: 5 } });
    });

    it('do not go back to what was cut off, though a handler wants that again', async () => {
      const { assignment, partition, from } = await inHand();
      assignment.positions.truncated(partition, { offset: 6, leaderEpoch: 2 });
      partition.doneThrough(from.timeline, 6, 1);
      assignment.positions.nack(partition, { ...from, offset: 6 }, 10);
      expect(partition).toMatchObject({ position: 6, positionEpoch: 2, held: true, commits: { committable: 6 } });
    });

    it('give way to a seek, which counts what is in hand as done', async () => {
      const { assignment, partition, from } = await inHand();
      assignment.positions.outOfRange(partition, new KrafkaError('x', { code: 'OFFSET_OUT_OF_RANGE' }));
      assignment.positions.resolved(partition, { offset: 20, leaderEpoch: 3 });
      await assignment.positions.seek(partition, 30);
      assignment.positions.nack(partition, { ...from, offset: 5 }, 10);
      expect(partition).toMatchObject({ position: 30, held: false, commits: { committable: 30 } });
    });

    it.each<[string, (assignment: Assignment, partition: AssignedPartition) => void]>([
      [
        'OFFSET_OUT_OF_RANGE',
        (a, p) => a.positions.outOfRange(p, new KrafkaError('x', { code: 'OFFSET_OUT_OF_RANGE' })),
      ],
      ['LOG_TRUNCATED', (a, p) => a.positions.truncated(p, { offset: 5, leaderEpoch: 2 })],
    ])('are an error where there is nothing to fall back on: %s', async (code, happen) => {
      const { assignment, get, fatal } = setUp({
        settings: { offsetReset: 'none' },
        kept: { 't/0': { offset: 7, leaderEpoch: -1 } },
      });
      await assignment.assign(t(0));
      await settled();
      happen(assignment, get(0));
      expect(fatal).toMatchObject([{ code, topic: 't', partition: 0 }]);
      expect(get(0).phase.kind).toBe('failed');
    });
  });

  it('ends the consumer with a failed partition, unless somebody listens for those', async () => {
    const { assignment, get, fatal, events } = setUp();
    const error = new KrafkaError('x', { code: 'X' });
    await assignment.assign(t(0, 1));
    assignment.positions.failed(get(0), error);
    expect(fatal).toEqual([error]);
    const failed: unknown[] = [];
    events.on('partitionFailed', (payload) => failed.push(payload));
    assignment.positions.failed(get(1), error);
    expect(fatal).toHaveLength(1);
    expect(failed).toEqual([{ topic: 't', partition: 1, error }]);
  });

  it('rejects whoever waits for a position of a partition that goes', async () => {
    const { assignment, get, deadline } = setUp();
    await assignment.assign(t(0));
    const sought = assignment.positions.seek(get(0), 'latest');
    await assignment.revoke(t(0), deadline());
    await expect(sought).rejects.toMatchObject({ code: 'REVOKED' });
  });
});
