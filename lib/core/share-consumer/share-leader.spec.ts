import { batchAt } from '../consumer/spec-support/batches.js';
import { settled } from '../consumer/spec-support/fake-clock.js';
import { ERROR_CODES } from '../protocol/index.js';
import { Deadline } from '../support/index.js';
import type { ShareConsumerOptions } from './share-consumer-options.js';
import {
  acknowledgeAnswer,
  cutOff,
  fetchAnswer,
  fetched,
  LOCK_MS,
  partitionOf,
  setUp,
  type Asked,
} from './spec-support/scripted-broker.js';

const acquired = (firstOffset: number, lastOffset: number, deliveryCount = 1) => ({
  acquiredRecords: [{ firstOffset, lastOffset, deliveryCount }],
});

/** The acknowledgements of a request: partition, offsets, types. */
const told = ({ body }: Asked): unknown[] =>
  body.topics.flatMap((topic: { partitions: { partitionIndex: number; acknowledgementBatches: object[] }[] }) =>
    topic.partitions.flatMap(({ partitionIndex, acknowledgementBatches }) =>
      acknowledgementBatches.map((batch) => [partitionIndex, ...Object.values(batch)]),
    ),
  );

/** A leader that holds five records, 10 to 14, and has its next fetch under way. */
async function holding(options: Partial<ShareConsumerOptions> = {}, version = 2) {
  const up = setUp(options, version);
  up.leader.add(partitionOf(0));
  const first = await up.last();
  const records = batchAt(10, ['a', 'b', 'c', 'd', 'e']);
  await first.answer(fetchAnswer([fetched(0, { records, ...acquired(10, 14) })]));
  return { ...up, first };
}

/** The same with the records handed out, and nobody asking for more. */
async function handedOut(options: Partial<ShareConsumerOptions> = {}, version = 2) {
  const up = await holding(options, version);
  const records = up.records();
  up.want(false);
  await (await up.last()).answer(fetchAnswer([]));
  return { ...up, handed: records as [(typeof records)[0], ...typeof records] };
}

describe('a share leader', () => {
  it('opens a session with every partition, and asks for no more than may be held', async () => {
    const { first, last, leader, queue, records } = await holding({ maxRecords: 12 });
    expect(first.body).toMatchObject({
      shareSessionEpoch: 0,
      maxRecords: 12,
      shareAcquireMode: 0,
      topics: [{ partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }],
      forgottenTopicsData: [],
    });
    // Five are held, which is below half of twelve: the next fetch asks for the rest, and names nothing anew.
    expect((await last()).body).toMatchObject({ shareSessionEpoch: 1, maxRecords: 7, topics: [] });
    expect(leader.held).toBe(5);
    expect(records().map((record) => `${record.offset} ${record.valueText} ${record.deliveryCount}`)).toEqual([
      '10 a 1',
      '11 b 1',
      '12 c 1',
      '13 d 1',
      '14 e 1',
    ]);
    expect(queue.next()).toBeUndefined();
  });

  it('fetches nothing while more than half of what may be held is held, or nobody asks', async () => {
    const { asked, clock, last, records } = await holding({ maxRecords: 8 });
    expect(asked).toHaveLength(1);
    const handed = records();
    handed[0]?.accept();
    await settled();
    const next = await last();
    expect([asked.length, next.body.maxRecords, told(next)]).toEqual([2, 4, [[0, 10, 10, [1]]]]);

    const idle = setUp();
    idle.want(false);
    idle.leader.add(partitionOf(0));
    await clock.advance(10_000);
    expect(idle.asked).toEqual([]);
  });

  it('sends verdicts with the next fetch, neighbours as one, and counts them when they are taken', async () => {
    const { acknowledged, counters, last, records } = await holding();
    const [a, b, c, d] = records();
    b?.accept();
    a?.accept();
    c?.reject();
    d?.release();
    expect(counters).toMatchObject({ accepted: 0, rejected: 0, released: 0 });
    await (await last()).answer(fetchAnswer([]));
    const next = await last();
    expect([next.api, next.body.shareSessionEpoch]).toEqual(['ShareFetch', 2]);
    expect(told(next)).toEqual([
      [0, 10, 11, [1]],
      [0, 12, 12, [3]],
      [0, 13, 13, [2]],
    ]);
    await next.answer(fetchAnswer([fetched(0)]));
    expect(counters).toMatchObject({ acquired: 5, accepted: 2, rejected: 1, released: 1, failedAcknowledgements: 0 });
    expect(acknowledged).toHaveLength(1);
  });

  it('sends verdicts alone after a while when nothing is fetched, and at once when somebody waits', async () => {
    const { asked, clock, handed, last, leader } = await handedOut({ acknowledgeIntervalMs: 700 });
    handed[0].accept();
    await clock.advance(699);
    expect(asked).toHaveLength(2);
    await clock.advance(1);
    const late = await last();
    expect([late.api, late.body.shareSessionEpoch, told(late)]).toEqual(['ShareAcknowledge', 2, [[0, 10, 10, [1]]]]);
    await late.answer(acknowledgeAnswer(late));
    handed[1]?.accept();
    const flushed = leader.flush();
    const prompt = await last();
    expect([prompt.body.shareSessionEpoch, told(prompt)]).toEqual([3, [[0, 11, 11, [1]]]]);
    await prompt.answer(acknowledgeAnswer(prompt));
    expect(await flushed).toEqual([]);
  });

  it('sends verdicts before the locks of their records expire, however long they may wait', async () => {
    const { clock, counters, handed, last } = await handedOut({ acknowledgeIntervalMs: 10 * LOCK_MS });
    handed[0].accept();
    await clock.advance(LOCK_MS - 1);
    const first = await last();
    expect([first.api, told(first)]).toEqual(['ShareAcknowledge', [[0, 10, 10, [1]]]]);
    // One that is said late does not wait for its interval.
    handed[1]?.accept();
    await first.answer(acknowledgeAnswer(first));
    const second = await last();
    expect(told(second)).toEqual([[0, 11, 11, [1]]]);
    await second.answer(acknowledgeAnswer(second));
    expect(counters).toMatchObject({ accepted: 2, failedAcknowledgements: 0 });
  });

  it('tells which partition refused its verdicts, to the listener and to whoever waits', async () => {
    const { counters, failed, handed, last, leader } = await handedOut();
    handed[0].accept();
    const flushed = leader.flush();
    const asked = await last();
    await asked.answer(acknowledgeAnswer(asked, { 0: ERROR_CODES.INVALID_RECORD_STATE }));
    const failure = {
      topic: 't',
      partition: 0,
      ranges: [{ firstOffset: 10, lastOffset: 10, type: 'accept' }],
      error: { code: 'INVALID_RECORD_STATE', topic: 't', partition: 0 },
    };
    expect(await flushed).toMatchObject([failure]);
    expect(failed).toMatchObject([failure]);
    expect(counters).toMatchObject({ accepted: 0, failedAcknowledgements: 1 });
  });

  it('takes verdicts that an answer passes over for refused', async () => {
    const { failed, last, records } = await holding();
    records()[0]?.accept();
    await (await last()).answer(fetchAnswer([]));
    await (await last()).answer(fetchAnswer([]));
    expect(failed).toMatchObject([{ error: { message: expect.stringContaining('says nothing') } }]);
  });

  it('takes the first verdict on a record, and no other', async () => {
    const { handed } = await handedOut();
    handed[0].release();
    expect(() => handed[0].accept()).toThrow(expect.objectContaining({ code: 'NOT_ACQUIRED' }));
    await expect(handed[0].renew()).rejects.toThrow(/offset 10 can't be acknowledged: it was acknowledged before/);
  });

  it('renews locks by themselves, from when the broker agrees', async () => {
    const { asked, clock, counters, handed, last, told: events } = await handedOut();
    handed[1]?.accept();
    await clock.advance(LOCK_MS - 1_000);
    const before = await last();
    await before.answer(acknowledgeAnswer(before));
    const renewed = handed[0].renew();
    const asking = await last();
    expect([asking.api, asking.body.isRenewAck, told(asking)]).toEqual(['ShareAcknowledge', true, [[0, 10, 10, [4]]]]);
    await asking.answer(acknowledgeAnswer(asking));
    await renewed;
    await clock.advance(LOCK_MS - 1);
    expect(handed[0].isAcquired).toBe(true);
    expect(events).toEqual(['expired [{"firstOffset":12,"lastOffset":14}] true']);
    await clock.advance(1);
    expect(handed[0].isAcquired).toBe(false);
    expect(counters).toMatchObject({ renewed: 1, lockTimeouts: 4 });
    expect(asked.filter(({ body }) => body.isRenewAck === true)).toHaveLength(1);
  });

  it('says that a broker can not renew, and leaves the record as it is', async () => {
    const { handed } = await handedOut({}, 1);
    await expect(handed[0].renew()).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE', offered: 'version 1' });
    expect(handed[0].isAcquired).toBe(true);
  });

  it('renews what handlers still have without being asked, where it may, and only that', async () => {
    const { clock, counters, last, queue } = await holding({ renewLocks: true });
    queue.next();
    await (await last()).answer(fetchAnswer([]));
    await clock.advance((LOCK_MS * 2) / 3 + 1);
    const fetching = await last();
    await fetching.answer(fetchAnswer([]));
    const asking = await last();
    expect([asking.body.isRenewAck, told(asking)]).toEqual([true, [[0, 10, 10, [4]]]]);
    await asking.answer(acknowledgeAnswer(asking));
    expect(counters.renewed).toBe(1);
  });

  it('drops what nobody had looked at when its lock expires, and acquires less from then on', async () => {
    const { clock, counters, leader, limit, queue, told: events } = await holding({ maxRecords: 100 });
    expect(limit.current).toBe(100);
    await clock.advance(LOCK_MS);
    expect(events).toEqual(['expired [{"firstOffset":10,"lastOffset":14}] false']);
    expect(queue.next()).toBeUndefined();
    expect([leader.held, counters.lockTimeouts, limit.current]).toEqual([0, 5, 50]);
  });

  it('lets the limit grow again while all is handed out in good time', async () => {
    const { last, limit, records } = await holding({ maxRecords: 100 });
    limit.shrink();
    expect(limit.current).toBe(50);
    records();
    await (await last()).answer(fetchAnswer([]));
    expect(limit.current).toBe(100);
  });

  it('opens the session anew, at once, when the broker has lost it: what it held is not ours any more', async () => {
    const { counters, failed, last, records, told: events } = await holding();
    const [a, b] = records();
    a?.accept();
    await (await last()).answer(fetchAnswer([], { errorCode: ERROR_CODES.SHARE_SESSION_NOT_FOUND }));
    expect(events).toEqual(['lost 4 SHARE_SESSION_NOT_FOUND']);
    expect(failed).toMatchObject([{ ranges: [{ firstOffset: 10 }], error: { code: 'SHARE_SESSION_NOT_FOUND' } }]);
    expect(() => b?.accept()).toThrow(/dropped the share session/);
    const anew = await last();
    expect(anew.body).toMatchObject({ shareSessionEpoch: 0, topics: [{ partitions: [{ partitionIndex: 0 }] }] });
    expect(counters).toMatchObject({ lost: 4, sessionResets: 1 });
  });

  it('says goodbye to a session that is out of step, so that the broker gives back what it holds for us', async () => {
    const { last } = await holding();
    await (await last()).answer(fetchAnswer([], { errorCode: ERROR_CODES.INVALID_SHARE_SESSION_EPOCH }));
    const goodbye = await last();
    expect([goodbye.api, goodbye.body.shareSessionEpoch]).toEqual(['ShareAcknowledge', -1]);
    await goodbye.answer(acknowledgeAnswer(goodbye));
    expect((await last()).body.shareSessionEpoch).toBe(0);
  });

  it('waits, when a connection is lost, until no held fetch can acquire any more, and then says goodbye', async () => {
    const { acknowledged, asked, clock, last, records, told: events } = await holding();
    records()[0]?.accept();
    await (await last()).fail(cutOff());
    expect(events).toEqual(['lost 4 CONNECTION', 'failed 1 CONNECTION']);
    const before = asked.length;
    await clock.advance(599);
    expect(asked).toHaveLength(before);
    await clock.advance(1);
    const goodbye = await last();
    // The verdict that was said and not yet told goes along: the broker may not have noticed anything.
    expect([goodbye.connection, goodbye.body.shareSessionEpoch, told(goodbye)]).toEqual([2, -1, [[0, 10, 10, [1]]]]);
    await goodbye.answer(acknowledgeAnswer(goodbye));
    expect(acknowledged).toHaveLength(1);
    expect((await last()).body.shareSessionEpoch).toBe(0);
  });

  it('says goodbye also when the connection is lost with the fetch that opens the session', async () => {
    const { asked, clock, counters, last, leader, told: events } = setUp();
    leader.add(partitionOf(0));
    await (await last()).fail(cutOff());
    await clock.advance(599);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    const goodbye = await last();
    expect([goodbye.api, goodbye.body.shareSessionEpoch]).toEqual(['ShareAcknowledge', -1]);
    await goodbye.answer(acknowledgeAnswer(goodbye, {}, { errorCode: ERROR_CODES.SHARE_SESSION_NOT_FOUND }));
    expect((await last()).body.shareSessionEpoch).toBe(0);
    expect([events, counters.sessionResets]).toEqual([['failed 1 CONNECTION'], 0]);
  });

  it('fails verdicts whose request was not answered: they may have been heeded', async () => {
    const { failed, handed, last, leader } = await handedOut();
    handed[0].accept();
    const flushed = leader.flush();
    await (await last()).fail(cutOff());
    expect(await flushed).toMatchObject([{ error: { code: 'CONNECTION' } }]);
    expect(failed).toHaveLength(1);
  });

  it('notices that the connection is another one before it tells anything on it', async () => {
    const { cut, handed, last, leader, told: events } = await handedOut();
    cut();
    handed[0].accept();
    void leader.flush();
    await last();
    expect(events[0]).toBe('lost 4 CONNECTION');
  });

  it('leaves a partition out that is refused, for as long as it is told to', async () => {
    const { asked, clock, last, leader, told: events } = setUp();
    leader.add(partitionOf(0));
    leader.add(partitionOf(1));
    await (await last()).answer(fetchAnswer([fetched(1, { errorCode: ERROR_CODES.NOT_LEADER_OR_FOLLOWER })]));
    expect(events).toEqual(['refused 6']);
    const without = await last();
    expect(without.body.forgottenTopicsData).toMatchObject([{ partitions: [1] }]);
    await clock.advance(500);
    await without.answer(fetchAnswer([]));
    expect((await last()).body.topics).toMatchObject([{ partitions: [{ partitionIndex: 1 }] }]);
    expect(asked).toHaveLength(3);
  });

  it('tells verdicts on a partition that it reads no more by themselves, which must not join the session again', async () => {
    const { last, leader, records } = setUp();
    const gone = partitionOf(0);
    leader.add(gone);
    const bytes = batchAt(10, ['a', 'b']);
    await (await last()).answer(fetchAnswer([fetched(0, { records: bytes, ...acquired(10, 11) })]));
    const [a] = records();
    leader.add(partitionOf(1));
    leader.remove(gone);
    await (await last()).answer(fetchAnswer([]));
    const forgetting = await last();
    expect(forgetting.body.forgottenTopicsData).toMatchObject([{ partitions: [0] }]);
    a?.accept();
    await forgetting.answer(fetchAnswer([]));
    const alone = await last();
    expect([alone.api, alone.body.shareSessionEpoch, told(alone)]).toEqual(['ShareAcknowledge', 3, [[0, 10, 10, [1]]]]);
    await alone.answer(acknowledgeAnswer(alone));
    expect((await last()).body).toMatchObject({ shareSessionEpoch: 4, topics: [] });
  });

  it('does not let a fetch take along what the broker would join to the session again', async () => {
    const { last, leader, records } = setUp();
    const gone = partitionOf(0);
    leader.add(gone);
    leader.add(partitionOf(1));
    await (await last()).answer(fetchAnswer([fetched(0, { records: batchAt(10, ['a', 'b']), ...acquired(10, 11) })]));
    const [a] = records();
    const under = await last();
    leader.remove(gone);
    a?.accept();
    await under.answer(fetchAnswer([]));
    // The session still has the partition: the fetch that forgets it must not name it.
    const alone = await last();
    expect([alone.api, told(alone)]).toEqual(['ShareAcknowledge', [[0, 10, 10, [1]]]]);
    await alone.answer(acknowledgeAnswer(alone));
    expect((await last()).body).toMatchObject({ topics: [], forgottenTopicsData: [{ partitions: [0] }] });
  });

  it('tells what somebody waits for before it fetches again, and lets nobody wait for what was said later', async () => {
    const { last, leader, records } = await holding();
    const [a, b] = records();
    a?.accept();
    let flushed = false;
    void leader.flush().then(() => (flushed = true));
    await (await last()).answer(fetchAnswer([]));
    const telling = await last();
    expect([telling.api, told(telling)]).toEqual(['ShareAcknowledge', [[0, 10, 10, [1]]]]);
    b?.accept();
    void leader.flush();
    expect(flushed).toBe(false);
    await telling.answer(acknowledgeAnswer(telling));
    expect(flushed).toBe(true);
    const next = await last();
    expect([next.api, told(next)]).toEqual(['ShareAcknowledge', [[0, 11, 11, [1]]]]);
  });

  it('asks once for a lock that the group must not renew, and lets it expire', async () => {
    const { asked, clock, counters, last, queue, told: events, want } = await holding({ renewLocks: true });
    queue.next();
    want(false);
    await (await last()).answer(fetchAnswer([]));
    await clock.advance((LOCK_MS * 2) / 3 + 1);
    const asking = await last();
    expect(asking.body.isRenewAck).toBe(true);
    await asking.answer(acknowledgeAnswer(asking, { 0: ERROR_CODES.INVALID_RECORD_STATE }));
    await clock.advance(LOCK_MS / 3);
    expect(asked.filter(({ body }) => body.isRenewAck === true)).toHaveLength(1);
    expect(events[0]).toBe('expired [{"firstOffset":10,"lastOffset":10}] true');
    expect(counters.renewed).toBe(0);
  });

  it('backs off when the broker refuses to open a session', async () => {
    const { asked, clock, last, leader, told: events } = setUp();
    leader.add(partitionOf(0));
    await (await last()).answer(fetchAnswer([], { errorCode: ERROR_CODES.SHARE_SESSION_LIMIT_REACHED }));
    expect([asked.length, events]).toEqual([1, ['failed 1 SHARE_SESSION_LIMIT_REACHED']]);
    await clock.advance(200);
    expect(asked).toHaveLength(2);
  });

  it('refuses a broker that can not keep to the limit that was asked for', async () => {
    const { asked, leader, told: events } = setUp({ acquireMode: 'record_limit' }, 1);
    leader.add(partitionOf(0));
    await settled();
    expect([asked.length, events]).toEqual([0, ['failed 1 UNSUPPORTED_FEATURE']]);
  });

  it('takes acquired offsets that can not be for a broken answer', async () => {
    const { last, leader, told: events } = setUp();
    leader.add(partitionOf(0));
    await (await last()).answer(fetchAnswer([fetched(0, acquired(5, 4))]));
    expect(events).toEqual(['lost 0 MALFORMED', 'failed 1 MALFORMED']);
  });

  it('releases what handlers still have when it closes, and leaves the rest to the broker', async () => {
    const { asked, clock, last, leader, queue } = await holding();
    const one = queue.next();
    queue.next()?.accept();
    const closed = leader.close(new Deadline(clock, 5_000, 'close timeoutMs'));
    await (await last()).answer(fetchAnswer([]));
    const goodbye = await last();
    expect([goodbye.api, goodbye.body.shareSessionEpoch, told(goodbye)]).toEqual([
      'ShareAcknowledge',
      -1,
      [
        [0, 10, 10, [2]],
        [0, 11, 11, [1]],
      ],
    ]);
    await goodbye.answer(acknowledgeAnswer(goodbye));
    expect(await closed).toEqual([]);
    expect([one?.isAcquired, leader.held, asked.length]).toEqual([false, 0, 3]);
    await clock.advance(120_000);
    expect(asked).toHaveLength(3);
  });

  it('closes in time though the broker does not answer, and says what may be lost', async () => {
    const { clock, leader, records } = await holding();
    records()[0]?.accept();
    const closed = leader.close(new Deadline(clock, 1_000, 'close timeoutMs'));
    await clock.advance(1_000);
    expect(await closed).toMatchObject([
      { ranges: expect.arrayContaining([{ firstOffset: 10, lastOffset: 10, type: 'accept' }]) },
    ]);
  });

  it('ends the session when the last of its partitions has gone elsewhere', async () => {
    const { clock, last, leader } = setUp();
    const partition = partitionOf(0);
    leader.add(partition);
    const first = await last();
    leader.remove(partition);
    await first.answer(fetchAnswer([]));
    const goodbye = await last();
    expect([goodbye.api, goodbye.body.shareSessionEpoch]).toEqual(['ShareAcknowledge', -1]);
    await goodbye.answer(acknowledgeAnswer(goodbye));
    await clock.advance(1);
    expect(leader.isIdle).toBe(true);
  });
});
