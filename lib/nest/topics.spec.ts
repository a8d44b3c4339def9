import type { CreatedTopic, TopicSpec } from '../core/admin/index.js';
import type { ClusterMetadata, MetadataUpdate } from '../core/cluster/index.js';
import { KrafkaConnectionError, KrafkaProtocolError, seededRandom } from '../core/support/index.js';
import { KeepingLogger } from './spec-support/delivery.js';
import { HandClock } from './spec-support/hand-clock.js';
import { Topics, type TopicDeclaration } from './topics.js';

/** A cluster of which only names and numbers of partitions are known. */
function setUp(existing: Record<string, number>, declared: readonly TopicDeclaration[] = []) {
  const clock = new HandClock();
  const logger = new KeepingLogger();
  const looks: (readonly string[] | 'all')[] = [];
  const created: TopicSpec[][] = [];
  const failures: Error[] = [];
  const metadataOf = (names: readonly string[] | 'all'): ClusterMetadata => {
    looks.push(names);
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    const there = Object.entries(existing).filter(([name]) => names === 'all' || names.includes(name));
    const found = there.map(([name, count]) => [
      name,
      { name, isInternal: name.startsWith('__'), partitions: Array.from({ length: count }) },
    ]);
    return { topics: new Map(found as never) } as unknown as ClusterMetadata;
  };
  let cached: ClusterMetadata['topics'] = new Map();
  const refresh = async (names: readonly string[] = []): Promise<ClusterMetadata> => {
    const metadata = metadataOf(names);
    cached = metadata.topics;
    return metadata;
  };
  const topics = new Topics({
    cluster: {
      cachedTopic: (name) => cached.get(name),
      look: async (names) => ({ metadata: metadataOf(names) }) as MetadataUpdate,
      refresh,
    },
    admin: {
      createTopics: async (specs) => {
        created.push([...specs]);
        for (const { name, partitions = 4 } of specs) existing[name] = partitions;
        return specs.map(({ name, partitions = 4 }): CreatedTopic => ({
          name,
          id: '',
          partitions,
          replicationFactor: 1,
          created: true,
        }));
      },
    },
    declared,
    ports: { clock, random: seededRandom(1), logger },
    connectTimeoutMs: 10_000,
  });
  return { topics, clock, logger, looks, created, failures, existing, refresh };
}

describe('Topics', () => {
  it('that are declared are created when they are missing, and only then', async () => {
    const { topics, created, logger } = setUp({ there: 1 }, [
      { name: 'there', partitions: 9 },
      { name: 'new', partitions: 6 },
    ]);
    await topics.createDeclared();
    expect(created).toEqual([[{ name: 'new', partitions: 6 }]]);
    expect(logger.lines).toEqual(['info a topic was created']);
  });

  it('that are declared are looked at once, however many ask', async () => {
    const { topics, looks } = setUp({ a: 1 }, [{ name: 'a' }]);
    await Promise.all([topics.createDeclared(), topics.createDeclared()]);
    await topics.createDeclared();
    expect(looks).toHaveLength(1);
  });

  it('cost nothing when none is declared', async () => {
    const { topics, looks } = setUp({});
    await topics.createDeclared();
    expect(looks).toEqual([]);
  });

  it('wait for brokers that start up beside the application, but not for ever', async () => {
    const { topics, failures, clock } = setUp({ a: 1 }, [{ name: 'a' }]);
    failures.push(new KrafkaConnectionError('b:9092', 'refused'), new KrafkaConnectionError('b:9092', 'refused'));
    const creating = topics.createDeclared();
    await clock.pass(1_000);
    await creating;

    const away = setUp({ a: 1 }, [{ name: 'a' }]);
    away.failures.push(...Array.from({ length: 100 }, () => new KrafkaConnectionError('b:9092', 'refused')));
    const failing = away.topics.createDeclared();
    failing.catch(() => undefined);
    await away.clock.pass(10_000);
    await expect(failing).rejects.toMatchObject({ code: 'TIMEOUT', budget: 'connectTimeoutMs' });
  });

  it('are asked for again after a failure', async () => {
    const { topics, failures, created } = setUp({}, [{ name: 'a' }]);
    failures.push(new KrafkaProtocolError('CLUSTER_AUTHORIZATION_FAILED', 'no'));
    await expect(topics.createDeclared()).rejects.toThrow('CLUSTER_AUTHORIZATION_FAILED');
    await topics.createDeclared();
    expect(created).toHaveLength(1);
  });

  it('that are needed are created once, and their partitions counted', async () => {
    const { topics, created, looks } = setUp({ there: 3 });
    expect(await topics.ensure({ name: 'there' })).toBe(3);
    expect(await Promise.all([topics.ensure({ name: 'new' }), topics.ensure({ name: 'new' })])).toEqual([4, 4]);
    expect(created).toEqual([[{ name: 'new' }]]);
    expect(looks).toEqual([['there'], ['new']]);
  });

  it('are not asked for again while the cluster knows of them', async () => {
    const { topics, looks } = setUp({ there: 3 });
    await topics.ensure({ name: 'there' });
    expect(await topics.ensure({ name: 'there' })).toBe(3);
    expect(looks).toHaveLength(1);
  });

  it('are created again when they are gone', async () => {
    const { topics, created, existing, refresh } = setUp({ letters: 3 });
    await topics.ensure({ name: 'letters' });
    delete existing['letters'];
    // Whoever writes there is told, and asks for news.
    await refresh(['letters']);
    expect(await topics.ensure({ name: 'letters', partitions: 2 })).toBe(2);
    expect(created).toEqual([[{ name: 'letters', partitions: 2 }]]);
  });

  it('that will be used next are asked for in the same request', async () => {
    const { topics, looks } = setUp({ 'price.reply': 3, price: 1 });
    await topics.ensure({ name: 'price.reply' }, true, ['price']);
    await topics.learn(['stock.reply']);
    await topics.learn([]);
    expect(looks).toEqual([['price.reply', 'price'], ['stock.reply']]);
  });

  it('that may not be created are told missing, by name', async () => {
    const { topics, created } = setUp({});
    await expect(topics.ensure({ name: 'price.reply' }, false)).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic: 'price.reply',
    });
    expect(created).toEqual([]);
  });

  it("are listed without Kafka's own", async () => {
    const { topics } = setUp({ a: 1, __consumer_offsets: 50 });
    expect(await topics.names()).toEqual(['a']);
    expect(await topics.existing(['a', 'b'])).toEqual(new Set(['a']));
  });
});
