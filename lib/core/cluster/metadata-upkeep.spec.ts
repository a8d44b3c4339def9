import { FakeClock, settled } from '../network/spec-support/fake-clock.js';
import { KrafkaAuthenticationError, KrafkaConnectionError, seededRandom, silentLogger } from '../support/index.js';
import { MetadataUpkeep } from './metadata-upkeep.js';

const MAX_AGE_MS = 300_000;

function setUp() {
  const clock = new FakeClock();
  const refreshed: (readonly string[])[] = [];
  const outcome = { next: (): boolean => true };
  const inUse = { topics: ['t'] as string[] };
  const logged: string[] = [];
  const upkeep = new MetadataUpkeep({
    refresh: async (topics) => {
      refreshed.push(topics);
      return outcome.next();
    },
    endPeriod: () => inUse.topics,
    isInUse: () => inUse.topics.length > 0,
    maxAgeMs: MAX_AGE_MS,
    ports: {
      clock,
      random: { ...seededRandom(1), next: () => 0.5 },
      logger: {
        ...silentLogger,
        info: (message) => void logged.push(`info: ${message}`),
        warn: (message) => void logged.push(`warn: ${message}`),
      },
    },
  });
  return { clock, refreshed, outcome, inUse, logged, upkeep };
}

describe('the upkeep of metadata', () => {
  it('has no timer while nothing is in use', () => {
    const { clock } = setUp();
    expect(clock.timersSet).toBe(0);
  });

  it('refreshes once for all who find something wrong, and at once the first time', async () => {
    const { clock, refreshed, upkeep } = setUp();
    upkeep.suspect(['a']);
    upkeep.suspect(['b']);
    upkeep.suspect(['a']);
    await clock.advance(0);
    expect(refreshed).toEqual([['a', 'b']]);
  });

  it('leaves 100 ms between refreshes that bring news, and ever more, up to a second, while they bring none', async () => {
    const { clock, refreshed, outcome, upkeep } = setUp();
    upkeep.suspect(['a']);
    await clock.advance(0);
    upkeep.suspect(['a']);
    await clock.advance(99);
    expect(refreshed).toHaveLength(1);
    outcome.next = () => false;
    await clock.advance(1);
    expect(refreshed).toHaveLength(2);
    for (const pauseMs of [200, 400, 800, 1_000, 1_000]) {
      const before = refreshed.length;
      upkeep.suspect(['a']);
      await clock.advance(pauseMs - 1);
      expect(refreshed).toHaveLength(before);
      await clock.advance(1);
      expect(refreshed).toHaveLength(before + 1);
    }
  });

  it('tries again what failed for now, together with what was suspected meanwhile', async () => {
    const { clock, refreshed, outcome, upkeep } = setUp();
    outcome.next = () => {
      upkeep.suspect(['b']);
      outcome.next = () => true;
      throw new KrafkaConnectionError('a:1', 'refused');
    };
    upkeep.suspect(['a']);
    await clock.advance(0);
    await clock.advance(1_000);
    expect(refreshed).toEqual([['a'], ['b', 'a']]);
    expect(clock.timersWaiting).toBe(0);
  });

  it('says once that it fails, however often it tries, and once that it succeeds again', async () => {
    const { clock, outcome, logged, upkeep } = setUp();
    outcome.next = () => {
      throw new KrafkaConnectionError('a:1', 'refused');
    };
    upkeep.suspect(['a']);
    await clock.advance(10_000);
    expect(logged).toEqual(['warn: refreshing the metadata failed']);
    outcome.next = () => true;
    await clock.advance(1_000);
    expect(logged.slice(1)).toEqual(['info: refreshing the metadata succeeds again']);
  });

  it('does not try again for the sake of nobody', async () => {
    const { clock, refreshed, outcome, inUse, upkeep } = setUp();
    inUse.topics = [];
    outcome.next = () => {
      throw new KrafkaConnectionError('a:1', 'refused');
    };
    upkeep.suspect(['a']);
    await clock.advance(60_000);
    expect(refreshed).toHaveLength(1);
    expect(clock.timersWaiting).toBe(0);
  });

  it('does not try again what failed for good, until somebody asks', async () => {
    const { clock, refreshed, outcome, upkeep } = setUp();
    outcome.next = () => {
      throw new KrafkaAuthenticationError('a:1', 'wrong password');
    };
    upkeep.suspect(['a']);
    await clock.advance(60_000);
    expect(refreshed).toHaveLength(1);
    upkeep.suspect(['a']);
    await clock.advance(60_000);
    expect(refreshed).toHaveLength(2);
  });

  it('refreshes what is in use when it has become old', async () => {
    const { clock, refreshed, inUse, upkeep } = setUp();
    upkeep.inUse();
    upkeep.inUse();
    await clock.advance(MAX_AGE_MS - 1);
    expect(refreshed).toEqual([]);
    inUse.topics = ['t', 'u'];
    await clock.advance(1);
    expect(refreshed).toEqual([['t', 'u']]);
    await clock.advance(MAX_AGE_MS);
    expect(refreshed).toHaveLength(2);
  });

  it('comes to rest when nothing is in use any more, and begins again with the next use', async () => {
    const { clock, refreshed, inUse, upkeep } = setUp();
    upkeep.inUse();
    inUse.topics = [];
    await clock.advance(MAX_AGE_MS);
    expect(refreshed).toEqual([]);
    expect(clock.timersWaiting).toBe(0);
    upkeep.inUse();
    expect(clock.timersWaiting).toBe(1);
  });

  it('ends with close', async () => {
    const { clock, refreshed, upkeep } = setUp();
    upkeep.inUse();
    upkeep.suspect(['a']);
    upkeep.close();
    upkeep.suspect(['a']);
    upkeep.inUse();
    await clock.advance(MAX_AGE_MS);
    await settled();
    expect(refreshed).toEqual([]);
    expect(clock.timersWaiting).toBe(0);
  });
});
