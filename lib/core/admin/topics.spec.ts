import { ScriptedCluster, topicAnswer, type ReceivedAt } from '../cluster/spec-support/scripted-cluster.js';
import { ERROR_CODES, type ErrorName } from '../protocol/index.js';
import { KrafkaAggregateError } from './aggregate-error.js';
import { failureOf, limit, setUp, TOPIC_ID } from './spec-support/scripted-admin.js';

const topicsOf = ({ request }: ReceivedAt): { name: string }[] => request['topics'] as { name: string }[];

/** Lets a CreateTopics succeed, and the topics be there from then on. */
function creating(scripted: ScriptedCluster, outcome: (name: string) => ErrorName = () => 'NONE') {
  return (received: ReceivedAt): object => ({
    topics: topicsOf(received).map(({ name }) => {
      const error = outcome(name);
      if (error === 'NONE') scripted.topic(name, [[1, 0]], { id: TOPIC_ID });
      return {
        name,
        topicId: TOPIC_ID,
        errorCode: ERROR_CODES[error],
        errorMessage: `about ${name}`,
        numPartitions: 1,
        replicationFactor: 1,
      };
    }),
  });
}

describe('creating topics', () => {
  it('asks the controller, and answers in the order asked for', async () => {
    const { scripted, admin } = setUp(2);
    scripted.controllerId = 2;
    scripted.on('CreateTopics', creating(scripted));
    const created = await admin.createTopics([
      { name: 'b', partitions: 3 },
      { name: 'a', replicationFactor: 2, configs: { x: '1' } },
    ]);
    expect(created.map(({ name, id, created: isNew }) => [name, id, isNew])).toEqual([
      ['b', TOPIC_ID, true],
      ['a', TOPIC_ID, true],
    ]);
    const [request] = scripted.requests('CreateTopics');
    expect(request?.nodeId).toBe(2);
    expect(topicsOf(request!)).toMatchObject([
      { name: 'b', numPartitions: 3, replicationFactor: -1, configs: [] },
      { name: 'a', numPartitions: -1, replicationFactor: 2, configs: [{ name: 'x', value: '1' }] },
    ]);
  });

  it('asks the new controller when it has moved', async () => {
    const { scripted, admin } = setUp(2);
    scripted.on('CreateTopics', (received) => {
      scripted.controllerId = 2;
      return creating(scripted, () => (received.nodeId === 1 ? 'NOT_CONTROLLER' : 'NONE'))(received);
    });
    const created = admin.createTopics([{ name: 't' }]);
    await scripted.clock.advance(1_000);
    await expect(created).resolves.toHaveLength(1);
    expect(scripted.requests('CreateTopics').map(({ nodeId }) => nodeId)).toEqual([1, 2]);
  });

  it('waits until each partition has a leader, unless told not to', async () => {
    const { scripted, admin } = setUp();
    scripted.on('CreateTopics', (received) => {
      const answer = creating(scripted)(received);
      scripted.topic(
        't',
        [
          [1, 0],
          [-1, 0],
        ],
        { id: TOPIC_ID },
      );
      return answer;
    });
    await expect(admin.createTopics([{ name: 't' }], { waitForLeaders: false })).resolves.toMatchObject([
      { name: 't' },
    ]);
    const created = admin.createTopics([{ name: 't' }]);
    let done = false;
    void created.then(() => (done = true));
    await scripted.clock.advance(2_000);
    expect(done).toBe(false);
    scripted.topic(
      't',
      [
        [1, 0],
        [1, 0],
      ],
      { id: TOPIC_ID },
    );
    await scripted.clock.advance(2_000);
    await expect(created).resolves.toMatchObject([{ partitions: 2 }]);
  });

  it('waits for news of the topic to reach the broker that is asked', async () => {
    const { scripted, admin } = setUp();
    scripted.on('CreateTopics', (received) => {
      const answer = creating(scripted)(received);
      scripted.topics.delete('t');
      return answer;
    });
    const created = admin.createTopics([{ name: 't' }]);
    await scripted.clock.advance(150);
    scripted.topic('t', [[1, 0]], { id: TOPIC_ID });
    await scripted.clock.advance(1_000);
    await expect(created).resolves.toMatchObject([{ created: true }]);
  });

  it('does not take a topic for the new one that was deleted under the same name', async () => {
    const { scripted, admin } = setUp();
    const old = 'AAAAAAAAAAAAAAAAAAAAAg';
    scripted.on('CreateTopics', (received) => {
      const answer = creating(scripted)(received);
      scripted.topic('t', [[1, 0]], { id: old });
      return answer;
    });
    const created = admin.createTopics([{ name: 't' }]);
    await scripted.clock.advance(150);
    scripted.topic('t', [[1, 0]], { id: TOPIC_ID });
    await scripted.clock.advance(1_000);
    await expect(created).resolves.toMatchObject([{ id: TOPIC_ID, created: true }]);
  });

  it('waits for that as long as its budget lasts: the controller has the topic', async () => {
    const { scripted, admin } = setUp();
    const make = creating(scripted);
    scripted.on('CreateTopics', (received) => {
      const answer = make(received);
      scripted.topics.delete('t');
      return answer;
    });
    const created = admin.createTopics([{ name: 't' }], { timeoutMs: 20_000 });
    await scripted.clock.advance(10_000);
    scripted.topic('t', [[1, 0]], { id: TOPIC_ID });
    await scripted.clock.advance(2_000);
    await expect(created).resolves.toMatchObject([{ name: 't', partitions: 1 }]);
  });

  it('fails by the name of the topic, after creating the others', async () => {
    const { scripted, admin } = setUp();
    scripted.on(
      'CreateTopics',
      creating(scripted, (name) => (name === 'bad' ? 'INVALID_REPLICATION_FACTOR' : 'NONE')),
    );
    const error = await failureOf(admin.createTopics([{ name: 'bad' }, { name: 'good' }]));
    expect(error).toMatchObject({
      code: 'INVALID_REPLICATION_FACTOR',
      topic: 'bad',
      message: expect.stringContaining('about bad'),
    });
    expect(scripted.topics.has('good')).toBe(true);
    const several = await failureOf(
      admin.createTopics([{ name: 'bad' }, { name: 'bad name' }]).catch((e: unknown) => Promise.reject(e as Error)),
    );
    expect(several).toMatchObject({ code: 'INVALID_REPLICATION_FACTOR' });
  });

  it('tells all failures when there are several', async () => {
    const { scripted, admin } = setUp();
    scripted.on(
      'CreateTopics',
      creating(scripted, () => 'POLICY_VIOLATION'),
    );
    const error = await failureOf(admin.createTopics([{ name: 'a' }, { name: 'b' }]));
    expect(error).toBeInstanceOf(KrafkaAggregateError);
    expect((error as KrafkaAggregateError).errors.map((one) => (one as { topic?: string }).topic)).toEqual(['a', 'b']);
  });

  it('takes a topic that is there for an error, or for good: then as it is, saying so when it differs', async () => {
    const { scripted, admin } = setUp();
    scripted
      .topic(
        't',
        [
          [1, 0],
          [1, 0],
        ],
        { id: TOPIC_ID },
      )
      .on(
        'CreateTopics',
        creating(scripted, () => 'TOPIC_ALREADY_EXISTS'),
      );
    expect(await failureOf(admin.createTopics([{ name: 't' }]))).toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' });
    const [topic] = await admin.createTopics([{ name: 't', partitions: 6 }], { existing: 'ignore' });
    expect(topic).toEqual({ name: 't', id: TOPIC_ID, partitions: 2, replicationFactor: 1, created: false });
    expect(scripted.logged).toMatchObject([{ level: 'warn', details: { topic: 't', wanted: 6, found: 2 } }]);
    await admin.createTopics([{ name: 't' }], { existing: 'ignore' });
    expect(scripted.logged).toHaveLength(1);
  });

  it('says that it may have been itself, when the topic is there after an answer was lost', async () => {
    const { scripted, admin } = setUp();
    let first = true;
    scripted.on('CreateTopics', (received) => {
      if (first) {
        first = false;
        queueMicrotask(() => received.peer.end());
        return undefined;
      }
      return creating(scripted, () => 'TOPIC_ALREADY_EXISTS')(received);
    });
    const failure = failureOf(admin.createTopics([{ name: 't' }]));
    await scripted.clock.advance(2_000);
    expect((await failure).message).toContain('an earlier try of this call got no answer');
  });

  it('only validates when asked to, and waits for no leader then', async () => {
    const { scripted, admin } = setUp();
    scripted.on('CreateTopics', (received) => ({
      topics: [
        { name: 't', topicId: TOPIC_ID, errorCode: 0, errorMessage: null, numPartitions: 4, replicationFactor: 2 },
        ...[received].slice(1),
      ],
    }));
    await expect(admin.createTopics([{ name: 't' }], { validateOnly: true })).resolves.toEqual([
      { name: 't', id: TOPIC_ID, partitions: 4, replicationFactor: 2, created: false },
    ]);
    expect(scripted.requests('CreateTopics')[0]?.request['validateOnly']).toBe(true);
  });

  it.each([
    [[{ name: 't', partition: 1 }], 'topics[0].partition', 'partitions'],
    [[{ name: 't', partitions: 0 }], 'topics[0].partitions', undefined],
    [[{ name: 't', partitions: 2, assignments: [[1]] }], 'topics[0].partitions', undefined],
    [[{ name: 't', assignments: [] }], 'topics[0].assignments', undefined],
    [[{ name: 't', configs: { a: 1 } }], 'topics[0].configs.a', undefined],
    [[{ name: 't', configs: new Map([['a', '1']]) }], 'topics[0].configs', undefined],
    [[{ name: 't' }, { name: 't' }], 'topics[1]', undefined],
    ['t', 'topics', undefined],
  ])('refuses %j', async (topics, option, nearest) => {
    const error = await failureOf(setUp().admin.createTopics(topics as never));
    expect(error).toMatchObject({ name: 'KrafkaConfigError', option, nearest });
  });

  it('refuses options it does not know', async () => {
    const error = await failureOf(setUp().admin.createTopics([], { waitForLeader: true } as never));
    expect(error).toMatchObject({ option: 'options.waitForLeader', nearest: 'waitForLeaders' });
  });
});

describe('deleting topics', () => {
  it('names them as the version of the broker wants it', async () => {
    const { scripted, admin } = setUp();
    scripted.on('DeleteTopics', ({ version, request }) => {
      const names =
        version >= 6
          ? (request['topics'] as { name: string }[]).map(({ name }) => name)
          : (request['topicNames'] as string[]);
      return { responses: names.map((name) => ({ name, errorCode: 0, errorMessage: null })) };
    });
    await admin.deleteTopics(['a', 'b', 'a']);
    expect(scripted.requests('DeleteTopics')[0]?.request).toMatchObject({ topics: [{ name: 'a' }, { name: 'b' }] });

    const old = setUp();
    limit(old.scripted, 20, 4);
    old.scripted.on('DeleteTopics', ({ request }) => ({
      responses: (request['topicNames'] as string[]).map((name) => ({ name, errorCode: 0 })),
    }));
    await old.admin.deleteTopics(['a']);
    expect(old.scripted.requests('DeleteTopics')[0]?.request).toMatchObject({ topicNames: ['a'] });
  });

  it('takes a missing one for an error at once, or for good', async () => {
    const { scripted, admin } = setUp();
    scripted.on('DeleteTopics', () => ({ responses: [{ name: 't', errorCode: 3, errorMessage: null }] }));
    expect(await failureOf(admin.deleteTopics(['t']))).toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic: 't',
    });
    await expect(admin.deleteTopics(['t'], { missing: 'ignore' })).resolves.toBeUndefined();
    expect(scripted.requests('DeleteTopics')).toHaveLength(2);
  });
});

describe('looking at topics', () => {
  it('lists them by name, without internal ones unless asked', async () => {
    const { scripted, admin } = setUp();
    scripted.topic('b', [[1, 0]]).topic('a', [[1, 0]]);
    scripted.topics.set('__offsets', { ...topicAnswer('__offsets', [[1, 0]]), isInternal: true });
    expect((await admin.listTopics()).map(({ name }) => name)).toEqual(['a', 'b']);
    expect((await admin.listTopics({ includeInternal: true })).map(({ name }) => name)).toEqual([
      '__offsets',
      'a',
      'b',
    ]);
  });

  it('describes them in the order asked for, and keeps none of them', async () => {
    const { scripted, cluster, admin } = setUp();
    scripted.topic('a', [[1, 0]]).topic('b', [[-1, 0]]);
    expect((await admin.describeTopics(['b', 'a'])).map(({ name }) => name)).toEqual(['b', 'a']);
    expect(cluster.metadata.topics.size).toBe(0);
  });

  it('does not wait long for one that is not there', async () => {
    const { scripted, admin } = setUp();
    const failure = failureOf(admin.describeTopics(['typo']));
    await scripted.clock.advance(2_000);
    expect(await failure).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 'typo' });
  });

  it('describes the cluster', async () => {
    const { admin } = setUp(2);
    await expect(admin.describeCluster()).resolves.toMatchObject({
      clusterId: 'scripted',
      controllerId: 1,
      brokers: [{ nodeId: 1 }, { nodeId: 2 }],
    });
  });
});
