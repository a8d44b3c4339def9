import { spawn, type ChildProcess } from 'node:child_process';
import { jars } from '../support/java-tools.js';
import { until } from '../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../support/test-cluster.js';
import { Deadline, systemClock } from '../../lib/core/support/index.js';
import {
  apis,
  Krafka,
  systemNetworkPorts,
  type Dialer,
  type ShareConsumer,
  type ShareConsumerOptions,
  type ShareRecord,
} from '../../lib/core/index.js';

/** How long locks last where a test waits for one to expire: the least that brokers let a group say. */
const SHORT_LOCK_MS = '15000';

const isOld = (process.env['KAFKA_VERSION'] ?? '4').startsWith('3.');

(isOld ? describe : describe.skip)('share groups of a cluster that is too old for them', () => {
  it('are refused, with the feature that is missing', async () => {
    const cluster = await openTestCluster();
    const topic = await cluster.newTopic(1);
    const consumer = cluster.krafka().shareConsumer({ groupId: cluster.name('share'), topics: [topic] });
    await expect(consumer.start()).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      feature: 'share.version',
      offered: 'no share groups',
    });
    await cluster.close();
  });
});

(isOld ? describe.skip : describe)('share groups of a real cluster (KIP-932)', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    if (jars === undefined) throw new Error('KAFKA_JARS is not set: run this through `npm run test:kafka`');
    cluster = await openTestCluster();
  });
  afterAll(() => cluster.close());

  /** A group that reads from the beginning, with other settings of its own. */
  async function newGroup(configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = cluster.name('share');
    const set = { 'share.auto.offset.reset': 'earliest', ...configs };
    await cluster.configure([{ type: 'group', name, set }]);
    return name;
  }

  async function topicOf(values: readonly string[], partitions = 1): Promise<string> {
    const topic = await cluster.newTopic(partitions);
    const producer = cluster.krafka().producer();
    await producer.sendAll(values.map((value) => ({ topic, value })));
    await producer.close();
    return topic;
  }

  const member = (options: ShareConsumerOptions): ShareConsumer => cluster.krafka().shareConsumer(options);
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);
  const sorted = (values: Iterable<string | null>): string[] =>
    [...values].map(String).toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)));

  it('hands each record to one member, and the partition to all', async () => {
    const topic = await topicOf([]);
    const groupId = await newGroup();
    const options = { groupId, topics: [topic], maxRecords: 20, acquireMode: 'record_limit' } as const;
    const members = [member(options), member(options)];
    const seen = members.map(() => [] as string[]);
    const runs = members.map((one, index) =>
      one.run({
        eachRecord: async (record) => {
          seen[index]?.push(record.valueText ?? '');
          await new Promise((resolve) => setTimeout(resolve, 2));
        },
      }),
    );
    await Promise.all(members.map((one) => one.start()));
    const producer = cluster.krafka().producer();
    let sent = 0;
    await until('records at both', async () => {
      if (seen.flat().length >= sent) {
        await producer.sendAll(Array.from({ length: 100 }, () => ({ topic, value: `r${sent++}` })));
      }
      return seen.every(({ length }) => length > 0);
    });
    await until('all records', () => seen.flat().length >= sent);
    await Promise.all(members.map((one) => one.close()));
    await Promise.all(runs);
    expect(sorted(seen.flat())).toEqual(numbers(sent));
    const accepted = members.map((one) => one.stats().accepted);
    expect(accepted).toEqual(seen.map((some) => some.length));
    expect(members.map((one) => one.groupState())).toEqual(['left', 'left']);
  });

  it('delivers what was released again, and counts', async () => {
    const topic = await topicOf(numbers(3));
    const consumer = member({ groupId: await newGroup(), topics: [topic] });
    const deliveries: string[] = [];
    const run = consumer.run({
      eachRecord: (record) => {
        deliveries.push(`${record.valueText} ${record.deliveryCount}`);
        if (record.deliveryCount === 1) record.release();
      },
    });
    await until('the second deliveries', () => deliveries.length >= 6);
    await consumer.close();
    await run;
    expect(deliveries.toSorted()).toEqual(['r0 1', 'r0 2', 'r1 1', 'r1 2', 'r2 1', 'r2 2']);
    expect(consumer.stats()).toMatchObject({ acquired: 6, released: 3, accepted: 3, rejected: 0, inFlight: 0 });
  });

  it('never delivers what was rejected again', async () => {
    const topic = await topicOf(['r0', 'r1']);
    const groupId = await newGroup();
    const consumer = member({ groupId, topics: [topic] });
    const seen: string[] = [];
    const run = consumer.run({
      eachRecord: (record) => {
        seen.push(record.valueText ?? '');
        if (record.valueText === 'r0') record.reject();
      },
    });
    await until('both records', () => seen.length === 2);
    await consumer.close();
    await run;
    const producer = cluster.krafka().producer();
    await producer.send({ topic, value: 'r2' });
    const next = member({ groupId, topics: [topic] });
    for await (const record of next) {
      seen.push(record.valueText ?? '');
      record.accept();
      break;
    }
    await next.close();
    expect(seen).toEqual(['r0', 'r1', 'r2']);
    expect(consumer.stats()).toMatchObject({ rejected: 1, accepted: 1 });
  });

  it('accepts what a loop has gone past, and delivers what it was left with again', async () => {
    const topic = await topicOf(numbers(3));
    const groupId = await newGroup();
    const first = member({ groupId, topics: [topic] });
    for await (const record of first) if (record.valueText === 'r1') break;
    await first.close();
    const second = member({ groupId, topics: [topic] });
    const seen: string[] = [];
    for await (const record of second) {
      seen.push(`${record.valueText} ${record.deliveryCount}`);
      if (seen.length === 2) {
        record.accept();
        break;
      }
    }
    await second.close();
    // r2 was acquired by the first member, too: that counts, though it was never handed out.
    expect(seen).toEqual(['r1 2', 'r2 2']);
  });

  it('counts only what is said in explicit mode, and commits on demand', async () => {
    const topic = await topicOf(numbers(4));
    const consumer = member({ groupId: await newGroup(), topics: [topic], acknowledgement: 'explicit' });
    const records: ShareRecord[] = [];
    for await (const record of consumer) {
      records.push(record);
      if (records.length === 4) break;
    }
    expect(records.map((record) => record.isAcquired)).toEqual([true, true, true, true]);
    const acknowledged: unknown[] = [];
    consumer.events.on('acknowledged', ({ ranges }) => acknowledged.push(...ranges));
    records[0]?.accept();
    consumer.acknowledge(records[1] as ShareRecord);
    consumer.acknowledge(records[2] as ShareRecord, 'reject');
    await consumer.commit();
    expect(acknowledged).toEqual([
      { firstOffset: 0, lastOffset: 1, type: 'accept' },
      { firstOffset: 2, lastOffset: 2, type: 'reject' },
    ]);
    expect(() => records[0]?.reject()).toThrow(expect.objectContaining({ code: 'NOT_ACQUIRED' }));
    expect(consumer.stats()).toMatchObject({ accepted: 2, rejected: 1, inFlight: 1 });
    await consumer.close();
    expect(consumer.stats().released).toBe(1);
  });

  it('gives up a record after as many deliveries as the group allows', async () => {
    const topic = await topicOf(['r0', 'r1']);
    const consumer = member({ groupId: await newGroup(), topics: [topic] });
    const failures: string[] = [];
    consumer.events.on('handlerFailed', ({ error }) => failures.push(`${error.offset} ${error.message}`));
    const counts: number[] = [];
    const run = consumer.run({
      eachRecord: (record) => {
        if (record.valueText === 'r1') return;
        counts.push(record.deliveryCount);
        throw new Error('poison');
      },
    });
    await until('the last delivery', () => counts.length === 5);
    const producer = cluster.krafka().producer();
    await producer.send({ topic, value: 'r1' });
    await until('a later record', () => consumer.stats().accepted === 2);
    await consumer.close();
    await run;
    // group.share.delivery.count.limit is 5 where nobody says otherwise.
    expect(counts).toEqual([1, 2, 3, 4, 5]);
    expect(failures).toHaveLength(5);
    expect(consumer.stats()).toMatchObject({ handlerFailures: 5, released: 5 });
  });

  it('delivers a record again whose lock expired, and keeps one whose lock is renewed', async () => {
    const topic = await topicOf(['r0', 'r1']);
    const groupId = await newGroup({ 'share.record.lock.duration.ms': SHORT_LOCK_MS });
    const holder = member({ groupId, topics: [topic], acknowledgement: 'explicit' });
    const expired: unknown[] = [];
    holder.events.on('lockExpired', (event) => expired.push(event));
    const held: ShareRecord[] = [];
    for await (const record of holder) {
      held.push(record);
      if (held.length === 2) break;
    }
    expect(holder.acquisitionLockTimeoutMs()).toBe(Number(SHORT_LOCK_MS));
    const [lets, keeps] = held as [ShareRecord, ShareRecord];

    const other = member({ groupId, topics: [topic] });
    const others: string[] = [];
    const run = other.run({ eachRecord: (record) => void others.push(`${record.valueText} ${record.deliveryCount}`) });
    await new Promise((resolve) => setTimeout(resolve, Number(SHORT_LOCK_MS) / 2));
    await keeps.renew();
    await until('the lock to expire', () => others.length > 0);
    await until('the holder to know', () => !lets.isAcquired);
    expect(others).toEqual(['r0 2']);
    expect(expired).toEqual([{ topic, partition: 0, ranges: [{ firstOffset: 0, lastOffset: 0 }], handedOut: true }]);
    expect(() => lets.accept()).toThrow(expect.objectContaining({ code: 'NOT_ACQUIRED' }));
    expect(keeps.isAcquired).toBe(true);
    keeps.accept();
    await holder.commit();
    expect(holder.stats()).toMatchObject({ accepted: 1, renewed: 1, lockTimeouts: 1, failedAcknowledgements: 0 });
    await Promise.all([holder.close(), other.close()]);
    await run;
    expect(others).toEqual(['r0 2']);
  }, 60_000);

  it('renews locks by itself where that is wanted, for as long as a handler takes', async () => {
    const topic = await topicOf(['r0']);
    const groupId = await newGroup({ 'share.record.lock.duration.ms': SHORT_LOCK_MS });
    const consumer = member({ groupId, topics: [topic], renewLocks: true });
    let finish = (): void => undefined;
    const run = consumer.run({ eachRecord: () => new Promise<void>((resolve) => (finish = resolve)) });
    await until('the second renewal', () => consumer.stats().renewed === 2, 40_000);
    finish();
    await until('the record to be accepted', () => consumer.stats().accepted === 1);
    await consumer.close();
    await run;
    expect(consumer.stats()).toMatchObject({ acquired: 1, lockTimeouts: 0, failedAcknowledgements: 0 });
  }, 60_000);

  it('gives the records of a member that dies to another, long before their locks expire', async () => {
    const topic = await topicOf(numbers(5));
    const groupId = await newGroup();
    const krafka = cluster.krafka();
    const dies = krafka.shareConsumer({ groupId, topics: [topic], acknowledgement: 'explicit' });
    const lost: number[] = [];
    dies.events.on('sessionLost', ({ records }) => lost.push(records));
    const held: ShareRecord[] = [];
    for await (const record of dies) {
      held.push(record);
      if (held.length === 5) break;
    }
    const other = member({ groupId, topics: [topic] });
    const others: string[] = [];
    const run = other.run({ eachRecord: (record) => void others.push(`${record.valueText}`) });
    await other.start();
    expect(others).toEqual([]);
    await krafka.pool.close({ timeoutMs: 0 });
    await until('the records at the other member', () => others.length === 5, 25_000);
    await other.close();
    await run;
    expect(sorted(others)).toEqual(numbers(5));
    expect(other.stats()).toMatchObject({ accepted: 5, failedAcknowledgements: 0 });
    await dies.close().catch(() => undefined);
  });

  it('lets a member join again whose group was deleted while it was thought dead', async () => {
    const topic = await topicOf(['r0']);
    const groupId = await newGroup();
    const consumer = member({ groupId, topics: [topic] });
    const seen: string[] = [];
    const run = consumer.run({ eachRecord: (record) => void seen.push(record.valueText ?? '') });
    await until('the first record', () => seen.length === 1);
    const states: string[] = [];
    consumer.events.on('state', ({ state }) => states.push(state));
    // Somebody says goodbye in its name, as the session timeout would.
    const krafka = cluster.krafka();
    const deadline = new Deadline(systemClock, 30_000, 'testMs');
    const { nodeId } = await krafka.cluster.coordinator('group', groupId, { deadline });
    const connection = await krafka.cluster.connection(nodeId, 'data', { deadline });
    const goodbye = { groupId, memberId: consumer.memberId, memberEpoch: -1 };
    expect(await connection.sendRequest(apis.ShareGroupHeartbeat, goodbye)).toMatchObject({ errorCode: 0 });
    await krafka.admin().deleteGroups([groupId]);
    await until('it to be a member again', () => states.join() === 'joining,stable');
    await consumer.close();
    await run;
  });

  it('opens a share session anew that the broker has lost, and fails what was held by it', async () => {
    const topic = await topicOf(numbers(3));
    const cuts: (() => void)[] = [];
    const krafka = new Krafka(
      { brokers: cluster.bootstrap, connection: cluster.connection },
      { dialer: cuttable(cuts) },
    );
    const consumer = krafka.shareConsumer({ groupId: await newGroup(), topics: [topic], acknowledgement: 'explicit' });
    const lost: number[] = [];
    consumer.events.on('sessionLost', ({ records }) => lost.push(records));
    const seen: ShareRecord[] = [];
    const run = consumer.run({ concurrency: 10, eachRecord: (record) => void seen.push(record) });
    await until('the first deliveries', () => seen.length === 3);
    seen[0]?.accept();
    await consumer.commit();
    // The connections are cut under it: the broker forgets the session, and takes back what it gave.
    for (const cut of cuts.splice(0)) cut();
    await until('the records to come again', () => seen.length >= 5);
    expect(lost).toEqual([2]);
    expect(seen.slice(1, 3).map((record) => record.isAcquired)).toEqual([false, false]);
    expect(() => seen[1]?.accept()).toThrow(/dropped the share session/);
    for (const record of seen.slice(3)) record.accept();
    await consumer.commit();
    expect(consumer.stats()).toMatchObject({ accepted: 3, sessionResets: 1, lost: 2, failedAcknowledgements: 0 });
    await krafka.close();
    await run;
  });

  it('reads every codec, and passes over what holds no record', async () => {
    const topic = await cluster.newTopic(1);
    const wanted: string[] = [];
    for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const producer = cluster.krafka().producer({ compression });
      await producer.sendAll(numbers(20).map((value) => ({ topic, value: `${value}-${compression}` })));
      wanted.push(...numbers(20).map((value) => `${value}-${compression}`));
      await producer.close();
    }
    const consumer = member({ groupId: await newGroup(), topics: [topic], maxRecords: 7, acquireMode: 'record_limit' });
    const seen: string[] = [];
    let most = 0;
    const run = consumer.run({
      concurrency: 4,
      eachRecord: async (record) => {
        most = Math.max(most, consumer.stats().inFlight);
        await Promise.resolve();
        seen.push(record.valueText ?? '');
      },
    });
    await until('all records', () => seen.length >= 100);
    await consumer.close();
    await run;
    expect(seen.toSorted()).toEqual(wanted.toSorted());
    expect(most).toBeLessThanOrEqual(7);
    expect(consumer.stats()).toMatchObject({ accepted: 100, inFlight: 0, unreadable: 0 });
  });

  it('shares a group with a Java member', async () => {
    const topic = await topicOf([]);
    const groupId = await newGroup();
    const java = javaShareConsumer(groupId, topic);
    try {
      const consumer = member({ groupId, topics: [topic], maxRecords: 10, acquireMode: 'record_limit' });
      const ours: string[] = [];
      const run = consumer.run({
        eachRecord: async (record) => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          ours.push(record.valueText ?? '');
        },
      });
      await consumer.start();
      await until('two members', async () => (await membersOf(groupId)) === 2);
      const producer = cluster.krafka().producer();
      let sent = 0;
      await until('records at both', async () => {
        await producer.sendAll(Array.from({ length: 50 }, () => ({ topic, value: `r${sent++}` })));
        return java.lines.length > 0 && ours.length > 0;
      });
      await until('all records', () => ours.length + java.lines.length >= sent);
      await consumer.close();
      await run;
      expect(sorted([...ours, ...java.lines])).toEqual(numbers(sent));
    } finally {
      await java.stop();
    }
  }, 60_000);

  it('is described, moved, forgotten and deleted by an admin', async () => {
    const topic = await topicOf(numbers(6), 1);
    const groupId = await newGroup();
    const admin = cluster.krafka().admin();
    const read = async (count: number): Promise<string[]> => {
      const consumer = member({ groupId, topics: [topic] });
      const seen: string[] = [];
      for await (const record of consumer) {
        seen.push(`${record.valueText} ${record.deliveryCount}`);
        record.accept();
        if (seen.length === count) break;
      }
      expect(await admin.describeGroups([groupId])).toMatchObject([
        { type: 'share', state: 'Stable', members: [{ memberId: consumer.memberId, subscribedTopics: [topic] }] },
      ]);
      await expect(admin.alterShareGroupOffsets(groupId, [{ topic, partition: 0, offset: 0 }])).rejects.toMatchObject({
        code: 'NON_EMPTY_GROUP',
      });
      await consumer.close();
      return seen;
    };
    expect(await read(4)).toEqual(['r0 1', 'r1 1', 'r2 1', 'r3 1']);
    expect(await admin.listGroups({ types: ['share'] })).toContainEqual(
      expect.objectContaining({ groupId, type: 'share', state: 'Empty' }),
    );
    const [offset] = await admin.listShareGroupOffsets(groupId);
    expect(offset).toMatchObject({ topic, partition: 0, offset: 4, lag: 2 });
    expect(await admin.listShareGroupOffsets(groupId, { partitions: [{ topic, partition: 0 }] })).toEqual([offset]);

    await admin.alterShareGroupOffsets(groupId, [{ topic, partition: 0, offset: 2 }]);
    expect(await read(2)).toEqual(['r2 1', 'r3 1']);
    await admin.deleteShareGroupOffsets(groupId, [topic]);
    expect(await admin.listShareGroupOffsets(groupId)).toEqual([]);
    await expect(admin.deleteShareGroupOffsets(groupId, ['nowhere'])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic: 'nowhere',
    });
    await admin.deleteGroups([groupId]);
    expect(await admin.listShareGroupOffsets(groupId)).toEqual([]);
    await expect(admin.describeGroups([groupId])).rejects.toMatchObject({ code: 'GROUP_ID_NOT_FOUND' });
  });

  async function membersOf(groupId: string): Promise<number> {
    const [group] = await cluster.krafka().admin().describeGroups([groupId]);
    return group?.members.length ?? 0;
  }
});

/** The machine's own sockets, with an end for each that a test can bring about. */
const cuttable = (cuts: (() => void)[]): Dialer => ({
  async dial(target, receiver, signal) {
    const stream = await systemNetworkPorts.dialer.dial(target, receiver, signal);
    cuts.push(() => {
      stream.destroy();
      receiver.closed(new Error('cut by the test'));
    });
    return stream;
  },
});

/** Kafka's own console share consumer, which prints what it accepts. */
function javaShareConsumer(groupId: string, topic: string) {
  const lines: string[] = [];
  let rest = '';
  const child: ChildProcess = spawn(
    'java',
    [
      ...['-Xmx128m', '-cp', `${jars}/*`, 'org.apache.kafka.tools.consumer.ConsoleShareConsumer'],
      ...['--bootstrap-server', process.env['KAFKA_BROKERS'] ?? '', '--topic', topic, '--group', groupId],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  child.stdout?.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.filter((line) => line !== ''));
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    lines,
    async stop(): Promise<void> {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
