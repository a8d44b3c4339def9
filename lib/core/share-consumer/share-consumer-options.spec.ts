import { KrafkaConfigError } from '../support/index.js';
import { shareConsumerSettings } from './share-consumer-options.js';
import { shareRunSettings } from './share-run.js';

const given = { groupId: 'g', topics: ['t'] };
const problemOf = (options: object): string => {
  try {
    shareConsumerSettings(options as never);
  } catch (error) {
    if (error instanceof KrafkaConfigError) return error.message;
  }
  throw new Error('it was taken');
};

describe('options of a share consumer', () => {
  it("have the Java client's defaults", () => {
    expect(shareConsumerSettings(given)).toEqual({
      ...given,
      acknowledgement: 'implicit',
      maxRecords: 500,
      acquireMode: 'batch_optimized',
      renewLocks: false,
      acknowledgeIntervalMs: 1_000,
      fetchMinBytes: 1,
      fetchMaxBytes: 52_428_800,
      fetchMaxWaitMs: 500,
      maxDecompressedBytes: 104_857_600,
      rack: undefined,
      requestTimeoutMs: 30_000,
      defaultApiTimeoutMs: 60_000,
      startTimeoutMs: 10_000,
    });
  });

  it('are refused by name where they are unknown, missing or out of range', () => {
    expect(problemOf({ ...given, maxPollRecords: 3 })).toMatch("'maxPollRecords' is not known");
    expect(problemOf({ ...given, acknowledgment: 'explicit' })).toMatch("did you mean 'acknowledgement'");
    expect(problemOf({ ...given, fromBeginning: true })).toMatch("'fromBeginning' is not known");
    expect(problemOf({ topics: ['t'] })).toMatch("'groupId'");
    expect(problemOf({ groupId: 'g' })).toMatch("'topics'");
    expect(problemOf({ ...given, topics: [] })).toMatch("'topics' names nothing");
    expect(problemOf({ ...given, topics: ['t', 't'] })).toMatch("'topics' names a topic twice");
    expect(problemOf({ ...given, topics: ['a/b'] })).toMatch("'topics[0]' names no topic that can exist");
    expect(problemOf({ ...given, maxRecords: 0 })).toMatch("'maxRecords'");
    expect(problemOf({ ...given, acquireMode: 'strict' })).toMatch("'acquireMode'");
  });

  it('of a run are checked, too', () => {
    const eachRecord = (): void => undefined;
    expect(shareRunSettings({ eachRecord })).toMatchObject({ concurrency: 1, onError: 'release', signal: undefined });
    expect(() => shareRunSettings({} as never)).toThrow("'eachRecord'");
    expect(() => shareRunSettings({ eachRecord, concurrency: 0 })).toThrow("'concurrency'");
    expect(() => shareRunSettings({ eachRecord, signal: {} as never })).toThrow("'signal' must be an AbortSignal");
    expect(() => shareRunSettings({ eachRecord, eachBatch: eachRecord } as never)).toThrow("'eachBatch' is not known");
  });
});
