import { Controller, type Type } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  BatchPattern,
  CommitMode,
  Concurrency,
  ConsumerGroup,
  EventPattern,
  KrafkaBatchContext,
  KrafkaContext,
  KrafkaServer,
  MessagePattern,
  OnFailure,
  RecordHeader,
  RetryTopics,
} from '../../../lib/index.js';
import { aDoor, Lines, NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => {
  cluster = await openTestCluster();
});

beforeEach(() => {
  apps = new NestApps(cluster);
});

afterEach(() => apps.close());

afterAll(() => cluster.close());

/** How many replies were ever sent to who asked on a topic. */
async function repliesOn(topic: string): Promise<number> {
  const listed = await cluster
    .krafka()
    .admin()
    .listOffsets([{ topic: `${topic}.reply`, at: 'latest' }]);
  return listed.reduce((all, { offset }) => all + offset, 0);
}

describe('Handlers in several consumer groups of one application', () => {
  it('each get every event, with offsets and options of their own', async () => {
    const topic = await cluster.newTopic();
    const [main, search] = [cluster.name('main'), cluster.name('search')];
    const seen: string[] = [];
    await apps.emit(topic, 'before');

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() name: string): void {
        seen.push(`main ${name}`);
      }

      @EventPattern(topic)
      @ConsumerGroup(search, { fromBeginning: true })
      index(@Payload() name: string): void {
        seen.push(`search ${name}`);
      }
    }
    const options = { consumer: { groupId: main, fromBeginning: false } };
    const app = await apps.service({ controllers: [Orders], options });
    await apps.emit(topic, 'after');
    await until('both groups', () => seen.length === 3);
    expect(seen.toSorted()).toEqual(['main after', 'search after', 'search before']);
    expect([...app.get(KrafkaServer).groups.keys()].toSorted()).toEqual([main, search].toSorted());
    await app.close();
    const committed = await cluster.krafka().admin().listGroupOffsets(search);
    expect(committed).toMatchObject([{ topic, partition: 0, offset: 2 }]);
  });

  it('answer a request once, whichever of them does', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    class Orders {
      @MessagePattern(topic)
      price(): string {
        return 'ten';
      }

      @EventPattern(topic)
      @ConsumerGroup(cluster.name('audit'))
      audit(@Payload() name: string): void {
        seen.push(name);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    expect(await lastValueFrom(client.send(topic, 'tea'))).toBe('ten');
    await until('the audit', () => seen.length === 1);
    // Whatever it answers is sent by then.
    await app.close();
    expect(await repliesOn(topic)).toBe(1);
  });

  it('are refused at start when they contradict one another', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Orders {
      @EventPattern(topic)
      @CommitMode('manual')
      one(): void {}

      @EventPattern(topic, { commitMode: 'auto' })
      other(): void {}
    }
    await expect(apps.service({ controllers: [Orders] })).rejects.toThrow(
      `Option 'pattern ${topic}.commitMode' is "manual" to Orders.one and "auto" to Orders.other`,
    );
  });
});

describe('A service that only listens to what others ask each other', () => {
  it('handles the request as an event and leaves the answer to whoever has it', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Shop {
      @MessagePattern(topic)
      async price(): Promise<string> {
        // Those who listen are done by now.
        await until('all who listen', () => seen.length === 3);
        return 'ten';
      }
    }

    @Controller()
    class Audit {
      @EventPattern(topic)
      audit(@Payload() name: string): void {
        seen.push(name);
      }

      @EventPattern(topic, { when: { header: 'type', is: 'other' } })
      @ConsumerGroup(cluster.name('others'))
      others(): void {}

      @EventPattern(topic)
      @OnFailure({ retries: 0, then: 'skip' })
      @ConsumerGroup(cluster.name('failing'))
      failing(@Payload() name: string): void {
        seen.push(name);
        throw new Error('no');
      }

      @BatchPattern(topic)
      @ConsumerGroup(cluster.name('batches'))
      batch(@Payload() names: readonly string[]): void {
        seen.push(...names);
      }
    }
    const [audit, shop] = await Promise.all([
      apps.service({ controllers: [Audit] }),
      apps.service({ controllers: [Shop] }),
    ]);
    const { client } = await apps.client();
    expect(await lastValueFrom(client.send(topic, 'tea'))).toBe('ten');
    expect(seen).toEqual(['tea', 'tea', 'tea']);
    await until('who is not meant', () => audit.get(KrafkaServer).deliveryCounts().unmatched === 1);
    await Promise.all([audit.close(), shop.close()]);
    expect(await repliesOn(topic)).toBe(1);
  });
});

describe('Handlers of one topic that are told apart by the record', () => {
  it('get what is theirs by a header or a field of the payload; the rest is counted, or a dead letter', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic, { when: { header: 'type', is: 'placed' } })
      placed(@RecordHeader('type') type: string): void {
        seen.push(`placed by ${type}`);
      }

      @EventPattern(topic, { when: { field: 'type', is: ['shipped', 'sent'] } })
      shipped(@Payload() { type }: { readonly type: string }): void {
        seen.push(`shipped by ${type}`);
      }
    }
    const app = await apps.service({ controllers: [Orders], options: { unmatched: 'dead-letter' } });
    await apps.emit(
      topic,
      { value: 'a', headers: { type: 'placed' } },
      { value: { type: 'sent' } },
      { value: 'whatever', headers: { type: 'cancelled' } },
      { value: { type: 'shipped' } },
    );
    await until('all of them', () => seen.length === 3);
    expect(seen).toEqual(['placed by placed', 'shipped by sent', 'shipped by shipped']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ unmatched: 1, deadLetters: 1 });
  });

  it("answer the requests that are theirs; one that is nobody's is refused", async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Shop {
      @MessagePattern(topic, { when: { field: 'ask', is: 'price' } })
      price(): string {
        return 'ten';
      }

      @MessagePattern(topic, { when: { field: 'ask', is: 'stock' } })
      stock(): string {
        return 'none';
      }
    }
    await apps.service({ controllers: [Shop] });
    const { client } = await apps.client();
    expect(await lastValueFrom(client.send(topic, { ask: 'stock' }))).toBe('none');
    expect(await lastValueFrom(client.send(topic, { ask: 'price' }))).toBe('ten');
    await expect(lastValueFrom(client.send(topic, { ask: 'way' }))).rejects.toEqual(
      expect.stringContaining('no matching message handler') as string,
    );
  });
});

describe('A handler that commits by itself', () => {
  it('has again after a restart what it has not committed', async () => {
    const topic = await cluster.newTopic();
    const options = { consumer: { groupId: cluster.name('group') } };
    const seen: string[] = [];

    @Controller()
    @CommitMode('manual')
    class Orders {
      @EventPattern(topic)
      async placed(@Payload() name: string, @Ctx() context: KrafkaContext): Promise<void> {
        seen.push(name);
        if (name === 'b') await context.commit();
      }
    }
    await apps.emit(topic, 'a', 'b', 'c');
    const app = await apps.service({ controllers: [Orders], options });
    await until('all three', () => seen.length === 3);
    await app.close();
    await apps.service({ controllers: [Orders], options });
    await until('the one that was left', () => seen.length === 4);
    expect(seen).toEqual(['a', 'b', 'c', 'c']);
  });

  it('has again what it had not committed when a record behind it was given up', async () => {
    const topic = await cluster.newTopic();
    const groupId = cluster.name('group');
    const options = { consumer: { groupId }, unmatched: 'dead-letter' as const };
    const seen: string[] = [];

    @Controller()
    @CommitMode('manual')
    class Orders {
      @EventPattern(topic, { when: { header: 'type', is: 'order' } })
      @OnFailure({ retries: 0 })
      async placed(@Payload() name: string, @Ctx() context: KrafkaContext): Promise<void> {
        seen.push(name);
        if (name === 'bad') throw new Error('no');
        if (name === 'b') await context.commit();
      }
    }
    const order = (value: string) => ({ value, headers: { type: 'order' } });
    const committed = async () =>
      (await cluster.krafka().admin().listGroupOffsets(groupId)).map(({ offset }) => offset);
    await apps.emit(topic, order('bad'), { value: 'nobody is for it' }, order('a'), order('bad'), order('b'));
    let app = await apps.service({ controllers: [Orders], options });
    await until('the commit', () => seen.length === 4 && app.get(KrafkaServer).deliveryCounts().deadLetters === 3);
    await apps.emit(topic, order('bad'), order('c'), order('bad'), { value: 'nobody is for it' });
    await until('all of them', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 6);
    await app.close();
    expect(await committed()).toEqual([6]);

    app = await apps.service({ controllers: [Orders], options });
    await until('what comes again', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 2);
    expect(seen).toEqual(['bad', 'a', 'bad', 'b', 'bad', 'c', 'bad', 'c', 'bad']);
  });

  it('never sees again what nobody is for and went to the dead letters', async () => {
    const topic = await cluster.newTopic();
    const groupId = cluster.name('group');
    const options = { consumer: { groupId }, unmatched: 'dead-letter' as const };

    @Controller()
    class Orders {
      @EventPattern(topic, { when: { header: 'type', is: 'order' }, commitMode: 'manual' })
      placed(): void {}
    }
    await apps.emit(topic, 'nobody is for it');
    const app = await apps.service({ controllers: [Orders], options });
    await until('the dead letter', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 1);
    await app.close();
    expect(await cluster.krafka().admin().listGroupOffsets(groupId)).toMatchObject([{ topic, offset: 1 }]);
  });

  it('is told when it is not one', async () => {
    const topic = await cluster.newTopic();
    const refusals: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      async placed(@Ctx() context: KrafkaContext): Promise<void> {
        await context.commit().catch((error: unknown) => refusals.push(error));
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'a');
    await until('the refusal', () => refusals.length === 1);
    expect(refusals[0]).toMatchObject({ code: 'NOT_MANUAL' });
  });
});

describe('A handler that puts a record off', () => {
  it('is called again with it before those behind it, without that being a failure', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0, then: 'skip' })
      placed(@Payload() name: string, @Ctx() context: KrafkaContext): void {
        seen.push(`${name}${context.attempt}`);
        if (name === 'a' && context.attempt < 4) context.nack(1);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'a', 'b');
    await until('the one behind', () => seen.includes('b1'));
    expect(seen).toEqual(['a1', 'a2', 'a3', 'a4', 'b1']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retries: 0, skipped: 0 });
  });
});

describe('Retry topics', () => {
  it('let those behind a failing event go on, and bring it back to the handler that failed, alone', async () => {
    const topic = await cluster.newTopic(2);
    const seen: string[] = [];
    const outcomes: string[] = [];
    const behind = aDoor();

    @Controller()
    class Orders {
      @EventPattern(topic)
      @RetryTopics({ delaysMs: [1, 1] })
      @OnFailure({ retries: 0 })
      async bill(
        @Payload() name: string,
        @Ctx() context: KrafkaContext,
        @RecordHeader('trace') trace?: string,
      ): Promise<void> {
        // Those behind must not have to wait for this.
        if (context.attempt === 2) await behind.opened;
        seen.push(`bill ${name} ${context.attempt} ${trace ?? ''}`);
        if (name === 'good') behind.open();
        if (name === 'bad' && context.attempt < 3) throw new Error('not yet');
      }

      @EventPattern(topic)
      pack(@Payload() name: string): void {
        seen.push(`pack ${name}`);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    app
      .get(KrafkaServer)
      .on('failure', ({ handler, attempt, outcome }) => outcomes.push(`${handler} ${attempt} ${outcome}`));
    await apps.emit(topic, { value: 'bad', partition: 1, headers: { trace: 't' } }, { value: 'good', partition: 1 });
    await until('the last retry', () => seen.includes('bill bad 3 t'));
    expect(seen.filter((line) => line.startsWith('bill'))).toEqual([
      'bill bad 1 t',
      'bill good 1 ',
      'bill bad 2 t',
      'bill bad 3 t',
    ]);
    expect(seen.filter((line) => line === 'pack bad')).toHaveLength(1);
    expect(outcomes).toEqual(['Orders.bill 1 retry-topic', 'Orders.bill 2 retry-topic']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retriedLater: 2, deadLetters: 0 });
  });

  it('are handled as many at once as their topic is', async () => {
    const topic = await cluster.newTopic(4);
    let now = 0;
    let most = 0;
    let done = 0;

    @Controller()
    class Orders {
      constructor(private readonly server: KrafkaServer) {}

      @EventPattern(topic)
      @RetryTopics({ delaysMs: [1] })
      @OnFailure({ retries: 0 })
      @Concurrency({ limit: 1 })
      async bill(@Payload() _payload: unknown, @Ctx() { attempt }: KrafkaContext): Promise<void> {
        if (attempt === 1) throw new Error('not yet');
        most = Math.max(most, ++now);
        // Long enough for the others to come, were they let.
        await until('all of them to be there', () => this.server.deliveryCounts().retriedLater === 4);
        await new Promise((resolve) => setTimeout(resolve, 50));
        now -= 1;
        done += 1;
      }
    }
    await apps.service({ controllers: [Orders] });
    const [made] = await cluster
      .krafka()
      .admin()
      .describeTopics([`${topic}-retry-0`]);
    expect(made?.partitions).toHaveLength(4);
    await apps.emit(topic, ...[0, 1, 2, 3].map((partition) => ({ value: 'order', partition })));
    await until('all of them', () => done === 4);
    expect(most).toBe(1);
  });

  it('bring events back to handlers that commit by themselves, too', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    @CommitMode('manual')
    class Orders {
      @EventPattern(topic)
      @RetryTopics({ delaysMs: [1] })
      @OnFailure({ retries: 0 })
      async bill(@Payload() name: string, @Ctx() context: KrafkaContext): Promise<void> {
        if (name === 'bad' && context.attempt === 1) throw new Error('not yet');
        await context.commit();
        seen.push(name);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'bad', 'good');
    await until('both', () => seen.length === 2);
    expect(seen.toSorted((a, b) => a.localeCompare(b))).toEqual(['bad', 'good']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retriedLater: 1, deadLetters: 0 });
  });

  it('bring the events of a batch that fail alone back to its handler, each as a batch of its own', async () => {
    const topic = await cluster.newTopic();
    const handled: string[] = [];

    @Controller()
    class Orders {
      @BatchPattern(topic, { maxRecords: 10 })
      @RetryTopics({ delaysMs: [1] })
      @OnFailure({ retries: 0 })
      bill(@Payload() names: string[], @Ctx() context: KrafkaBatchContext): void {
        const retried = context.records.every((record) => record.topic === `${topic}-retry-0`);
        if (names.includes('bad') && !retried) throw new Error('not yet');
        handled.push(...names.map((name) => (retried ? `${name} again` : name)));
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'a', 'bad', 'b');
    await until('all of them', () => handled.length === 3);
    expect(handled.toSorted((a, b) => a.localeCompare(b))).toEqual(['a', 'b', 'bad again']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retriedLater: 1, deadLetters: 0 });
  });

  it('that hold events when there are fewer delays than before are named at start', async () => {
    const topic = await cluster.newTopic();
    const consumer = { groupId: cluster.name('group') };

    const failing = (...delaysMs: readonly number[]): Type => {
      @Controller()
      class Orders {
        @EventPattern(topic)
        @RetryTopics({ delaysMs })
        @OnFailure({ retries: 0 })
        bill(): void {
          throw new Error('never');
        }
      }
      return Orders;
    };
    const before = await apps.service({ controllers: [failing(1, 600_000)], options: { consumer } });
    await apps.emit(topic, 'bad');
    await until('the second retry topic', () => before.get(KrafkaServer).deliveryCounts().retriedLater === 2);
    await before.close();
    const logger = new Lines();
    await apps.service({ controllers: [failing(1)], options: { consumer, logger } });
    const warning = `warn records wait in ${topic}-retry-1, which nobody reads`;
    await until('the warning', () => logger.all.some((line) => line.startsWith(warning)));
  });

  it('end in the dead-letter topic, with the place and the headers the event had at first', async () => {
    const topic = await cluster.newTopic(2);
    const groupId = cluster.name('group');
    let calls = 0;

    @Controller()
    class Orders {
      @EventPattern(topic)
      @RetryTopics({ delaysMs: [1] })
      @OnFailure({ retries: 1, backoffMs: 1 })
      bill(): void {
        calls += 1;
        throw new Error('never');
      }
    }
    const app = await apps.service({ controllers: [Orders], options: { consumer: { groupId } } });
    await apps.emit(topic, { key: 'k', value: 'bad', partition: 1, headers: { trace: 't' } });
    await until('the dead letter', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 1);
    expect(calls).toBe(3);
    const dead = `${topic}-dlt`;
    const consumer = cluster.krafka().consumer({ assignments: [{ topic: dead, partition: 1, offset: 'earliest' }] });
    for await (const record of consumer) {
      const names = Object.keys(record.headers).filter((name) => !name.startsWith('kafka_dlt-'));
      expect(names).toEqual(['trace']);
      expect(String(record.headers['kafka_dlt-original-topic'])).toBe(topic);
      expect(String(record.headers['kafka_dlt-original-partition'])).toBe('1');
      expect(String(record.headers['kafka_dlt-original-offset'])).toBe('0');
      expect(String(record.headers['kafka_dlt-original-consumer-group'])).toBe(groupId);
      expect(record.valueText).toBe('bad');
      break;
    }
    await consumer.close();
  });
});
