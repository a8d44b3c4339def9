import { settled } from '../network/spec-support/fake-clock.js';
import { Deferred } from '../support/index.js';
import { ClusterMetadata } from './cluster-metadata.js';
import { MetadataRefresher } from './metadata-refresher.js';
import type { MetadataUpdate } from './metadata-update.js';

const update = (): MetadataUpdate => ({ metadata: ClusterMetadata.empty, problems: new Map() });

function setUp() {
  const requests: { readonly topics: readonly string[]; readonly answer: Deferred<MetadataUpdate> }[] = [];
  const refresher = new MetadataRefresher({
    request: (topics) => {
      const answer = new Deferred<MetadataUpdate>();
      requests.push({ topics, answer });
      return answer.promise;
    },
  });
  return { refresher, requests, asked: () => requests.map(({ topics }) => topics) };
}

describe('the metadata refresher', () => {
  it('asks once for all that one turn wants', async () => {
    const { refresher, requests, asked } = setUp();
    const all = Promise.all([refresher.fetch(['a']), refresher.fetch(['b', 'a']), refresher.fetch([])]);
    await settled();
    expect(asked()).toEqual([['a', 'b']]);
    const answer = update();
    requests[0]!.answer.resolve(answer);
    await expect(all).resolves.toEqual([answer, answer, answer]);
  });

  it('shares a request under way that asks of the same topics', async () => {
    const { refresher, requests, asked } = setUp();
    const first = refresher.fetch(['a', 'b']);
    await settled();
    const second = refresher.fetch(['b']);
    await settled();
    expect(asked()).toHaveLength(1);
    requests[0]!.answer.resolve(update());
    expect(await second).toBe(await first);
  });

  it('gathers topics missing from it for the next one, which leaves when it is back', async () => {
    const { refresher, requests, asked } = setUp();
    void refresher.fetch(['a']);
    await settled();
    const second = refresher.fetch(['a', 'b']);
    const third = refresher.fetch(['c']);
    await settled();
    expect(asked()).toEqual([['a']]);
    requests[0]!.answer.resolve(update());
    await settled();
    expect(asked()).toEqual([['a'], ['a', 'b', 'c']]);
    requests[1]!.answer.resolve(update());
    expect(await second).toBe(await third);
  });

  it('tells a failure to those it concerns, and goes on with the next', async () => {
    const { refresher, requests, asked } = setUp();
    const failing = refresher.fetch(['a']);
    await settled();
    const next = refresher.fetch(['b']);
    const error = new Error('no');
    requests[0]!.answer.reject(error);
    await expect(failing).rejects.toBe(error);
    await settled();
    expect(asked()).toEqual([['a'], ['b']]);
    requests[1]!.answer.resolve(update());
    await expect(next).resolves.toBeDefined();
  });
});
