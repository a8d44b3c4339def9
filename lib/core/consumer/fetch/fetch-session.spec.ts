import * as fc from 'fast-check';
import { ERROR_CODES, ZERO_UUID } from '../../protocol/index.js';
import { epochAfter, FetchSession, type FetchPlan, type FetchedPartition } from './fetch-session.js';

const ID_A = 'AAAAAAAAAAAAAAAAAAAAAQ';
const ID_B = 'AAAAAAAAAAAAAAAAAAAAAg';

const part = (changes: Partial<FetchedPartition> = {}): FetchedPartition => ({
  topic: 'a',
  topicId: ID_A,
  partition: 0,
  currentLeaderEpoch: 1,
  fetchOffset: 10,
  partitionMaxBytes: 1024,
  ...changes,
});

const granted = { errorCode: ERROR_CODES.NONE, sessionId: 7 };

/** A session the broker has granted, told of these partitions. */
function opened(...partitions: FetchedPartition[]): FetchSession {
  const session = new FetchSession();
  session.plan(partitions);
  session.settle(granted);
  return session;
}

const named = (plan: FetchPlan): string[] =>
  plan.topics.flatMap(({ topic, partitions }) => partitions.map(({ partition }) => `${topic}/${partition}`)).toSorted();

describe('FetchSession', () => {
  it('begins by asking for a session and naming everything', () => {
    const plan = new FetchSession().plan([part(), part({ partition: 1 })]);
    expect(plan).toMatchObject({ sessionId: 0, sessionEpoch: 0, full: true, entries: 2, byTopicId: true });
    expect(named(plan)).toEqual(['a/0', 'a/1']);
  });

  it('names nothing when nothing has changed', () => {
    const session = opened(part(), part({ partition: 1 }));
    const plan = session.plan([part(), part({ partition: 1 })]);
    expect(plan).toMatchObject({ sessionId: 7, sessionEpoch: 1, full: false, entries: 0 });
    expect(plan.topics).toEqual([]);
    expect(plan.forgottenTopicsData).toEqual([]);
  });

  it.each([['fetchOffset'], ['currentLeaderEpoch'], ['partitionMaxBytes']] as const)(
    'names a partition again when its %s has changed, and only once',
    (field) => {
      const session = opened(part(), part({ partition: 1 }));
      const changed = part({ [field]: 99 });
      expect(named(session.plan([changed, part({ partition: 1 })]))).toEqual(['a/0']);
      session.settle(granted);
      expect(named(session.plan([changed, part({ partition: 1 })]))).toEqual([]);
    },
  );

  it('has a partition forgotten once when it is no longer wanted, and names it when it is wanted again', () => {
    const session = opened(part(), part({ partition: 1 }));
    expect(session.plan([part()]).forgottenTopicsData).toEqual([{ topic: 'a', topicId: ID_A, partitions: [1] }]);
    session.settle(granted);
    expect(session.plan([part()]).forgottenTopicsData).toEqual([]);
    session.settle(granted);
    expect(named(session.plan([part(), part({ partition: 1 })]))).toEqual(['a/1']);
  });

  it('does not forget a partition that was handed back and taken again between two fetches', () => {
    const session = opened(part());
    const again = part();
    const plan = session.plan([again]);
    expect(plan).toMatchObject({ entries: 0, forgottenTopicsData: [] });
    expect(session.find('a', ID_A, 0)?.partition).toBe(again);
  });

  it('takes a re-created topic for another topic: the old id is forgotten, the new one named', () => {
    const session = opened(part());
    const plan = session.plan([part({ topicId: ID_B })]);
    expect(plan.forgottenTopicsData).toEqual([{ topic: 'a', topicId: ID_A, partitions: [0] }]);
    expect(plan.topics[0]?.topicId).toBe(ID_B);
    expect(session.find('', ID_A, 0)).toBeUndefined();
    expect(session.find('', ID_B, 0)).toBeDefined();
  });

  it('goes by name when an id is not known, and opens the session anew when that changes', () => {
    const session = new FetchSession();
    expect(session.plan([part({ topicId: ZERO_UUID })]).byTopicId).toBe(false);
    session.settle(granted);
    expect(session.find('a', ZERO_UUID, 0)).toBeDefined();
    const plan = session.plan([part()]);
    expect(plan).toMatchObject({ byTopicId: true, full: true, sessionId: 7, sessionEpoch: 0, entries: 1 });
  });

  it('counts epochs up and goes from the last one back to 1', () => {
    const session = opened(part());
    expect(session.plan([part()]).sessionEpoch).toBe(1);
    session.settle(granted);
    expect(session.plan([part()]).sessionEpoch).toBe(2);
    expect(epochAfter(2_147_483_646)).toBe(2_147_483_647);
    expect(epochAfter(2_147_483_647)).toBe(1);
  });

  it('names everything each time while the broker grants no session', () => {
    const session = new FetchSession();
    session.plan([part()]);
    session.settle({ errorCode: ERROR_CODES.NONE, sessionId: 0 });
    expect(session.plan([part()])).toMatchObject({ sessionId: 0, sessionEpoch: 0, full: true, entries: 1 });
  });

  it('begins anew without an id when the broker has forgotten the session', () => {
    const session = opened(part());
    session.plan([part()]);
    expect(session.settle({ errorCode: ERROR_CODES.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0 })).toBe(false);
    expect(session.plan([part()])).toMatchObject({ sessionId: 0, sessionEpoch: 0, full: true, entries: 1 });
  });

  it.each(['INVALID_FETCH_SESSION_EPOCH', 'FETCH_SESSION_TOPIC_ID_ERROR', 'INCONSISTENT_TOPIC_ID'] as const)(
    'closes the session it had and asks for a new one after %s',
    (error) => {
      const session = opened(part());
      session.plan([part()]);
      expect(session.settle({ errorCode: ERROR_CODES[error], sessionId: 0 })).toBe(false);
      expect(session.plan([part()])).toMatchObject({ sessionId: 7, sessionEpoch: 0, full: true, entries: 1 });
    },
  );

  it('closes the session it had and asks for a new one when a fetch had no answer', () => {
    const session = opened(part());
    session.plan([part({ fetchOffset: 11 })]);
    session.failed();
    expect(session.plan([part({ fetchOffset: 11 })])).toMatchObject({ sessionId: 7, sessionEpoch: 0, full: true });
  });

  it('closes with the final epoch, and has nothing to close where there is no session', () => {
    expect(new FetchSession().close()).toBeUndefined();
    const session = opened(part());
    expect(session.close()).toMatchObject({ sessionId: 7, sessionEpoch: -1, topics: [], forgottenTopicsData: [] });
    expect(session.close()).toBeUndefined();
  });

  describe('against a broker that keeps the whole list', () => {
    const partitionState = fc.record({
      topic: fc.constantFrom('a', 'b', 'c'),
      generation: fc.integer({ min: 0, max: 1 }),
      partition: fc.integer({ min: 0, max: 3 }),
      currentLeaderEpoch: fc.integer({ min: 0, max: 2 }),
      fetchOffset: fc.integer({ min: 0, max: 3 }),
      partitionMaxBytes: fc.constantFrom(512, 1024),
    });
    const step = fc.record({
      wanted: fc.uniqueArray(partitionState, {
        selector: ({ topic, partition }) => `${topic}/${partition}`,
        maxLength: 9,
      }),
      outcome: fc.constantFrom('granted', 'granted', 'granted', 'refused', 'forgotten', 'lost', 'wrong-epoch'),
      nameless: fc.constantFrom(false, false, false, true),
    });

    it('tells the broker exactly what the naive full list would', () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
          const session = new FetchSession();
          const broker = new NaiveBroker();
          for (const { wanted, outcome, nameless } of steps) {
            const generations = new Map(wanted.map(({ topic, generation }) => [topic, generation]));
            const partitions = wanted.map(({ topic, partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes }) =>
              part({
                topic,
                topicId: nameless
                  ? ZERO_UUID
                  : Buffer.from(`${topic}${generations.get(topic)}`.padEnd(16, '.')).toString('base64url'),
                partition,
                currentLeaderEpoch,
                fetchOffset,
                partitionMaxBytes,
              }),
            );
            const answer = broker.fetch(session.plan(partitions), outcome);
            if (answer === undefined) {
              session.failed();
              continue;
            }
            if (!session.settle(answer)) continue;
            expect(broker.session).toEqual(
              new Set(
                partitions.map((p) =>
                  JSON.stringify([
                    nameless ? p.topic : p.topicId,
                    p.partition,
                    p.currentLeaderEpoch,
                    p.fetchOffset,
                    p.partitionMaxBytes,
                  ]),
                ),
              ),
            );
            for (const p of partitions) expect(session.find(p.topic, p.topicId, p.partition)?.partition).toBe(p);
          }
        }),
      );
    });
  });
});

/** Applies plans as a broker does: additions first, then what is to be forgotten. */
class NaiveBroker {
  readonly #partitions = new Map<string, string>();
  #id = 0;
  #epoch = 0;
  #made = 0;

  get session(): Set<string> {
    return new Set(this.#partitions.values());
  }

  fetch(plan: FetchPlan, outcome: string): { errorCode: number; sessionId: number } | undefined {
    if (outcome === 'forgotten') {
      this.#id = 0;
      if (plan.sessionEpoch !== 0) return { errorCode: ERROR_CODES.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0 };
    }
    if (plan.sessionEpoch === 0) {
      this.#partitions.clear();
      this.#id = outcome === 'refused' ? 0 : ++this.#made;
      this.#epoch = 1;
    } else {
      if (plan.sessionId !== this.#id) return { errorCode: ERROR_CODES.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0 };
      if (plan.sessionEpoch !== this.#epoch || outcome === 'wrong-epoch') {
        return { errorCode: ERROR_CODES.INVALID_FETCH_SESSION_EPOCH, sessionId: 0 };
      }
      this.#epoch++;
    }
    for (const { topic, topicId, partitions } of plan.topics) {
      const key = plan.byTopicId ? topicId : topic;
      for (const p of partitions) {
        this.#partitions.set(
          `${key}/${p.partition}`,
          JSON.stringify([key, p.partition, p.currentLeaderEpoch, p.fetchOffset, p.partitionMaxBytes]),
        );
      }
    }
    for (const { topic, topicId, partitions } of plan.forgottenTopicsData) {
      for (const p of partitions) this.#partitions.delete(`${plan.byTopicId ? topicId : topic}/${p}`);
    }
    return outcome === 'lost' ? undefined : { errorCode: ERROR_CODES.NONE, sessionId: this.#id };
  }
}
