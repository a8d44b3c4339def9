import { Controller, Inject, Injectable, Scope } from '@nestjs/common';
import { CONTEXT, Payload, type RequestContext } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  BatchPattern,
  ConsumerGroup,
  EventPattern,
  KrafkaContext,
  KrafkaServer,
  MessagePattern,
} from '../../../../lib/index.js';
import { aDoor, NestApps, until } from '../../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../../support/test-cluster.js';

/** The embedded broker takes shorter sessions than Kafka's 6 s. */
const SHORTEST_SESSION_MS = 2_000;

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => {
  cluster = await openTestCluster({ groupMinSessionTimeoutMs: SHORTEST_SESSION_MS });
});

beforeEach(() => {
  apps = new NestApps(cluster);
});

afterEach(() => apps.close());

afterAll(() => cluster.close());

describe('A handler that takes long', () => {
  it('holds up no other topic and no other partition (#12703, #14590)', async () => {
    const [slow, other] = await Promise.all([cluster.newTopic(2), cluster.newTopic()]);
    const door = aDoor();
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(slow)
      async slow(@Payload() name: string): Promise<void> {
        if (name === 'stuck') await door.opened;
        seen.push(name);
      }

      @EventPattern(other)
      other(@Payload() name: string): void {
        seen.push(name);
      }

      @MessagePattern(`${other}.ask`)
      ask(): string {
        return 'here';
      }
    }
    await cluster.newTopic(1, {}, `${other}.ask`);
    await apps.service({ controllers: [Orders] });
    await apps.emit(slow, { value: 'stuck', partition: 0 }, { value: 'neighbour', partition: 1 });
    await apps.emit(other, 'elsewhere');
    await until('the others', () => seen.length === 2);
    expect(seen.toSorted((a, b) => a.localeCompare(b))).toEqual(['elsewhere', 'neighbour']);
    const { client } = await apps.client();
    expect(await lastValueFrom(client.send(`${other}.ask`, 1))).toBe('here');
    door.open();
    await until('the one that was stuck', () => seen.includes('stuck'));
  });

  it('keeps its partitions and its session, however long it takes (#7270, #9949)', async () => {
    const topic = await cluster.newTopic(2);
    const groupId = cluster.name('group');
    const door = aDoor();
    const calls: string[] = [];
    const states: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      async placed(@Payload() name: string): Promise<void> {
        calls.push(name);
        await door.opened;
      }
    }
    // The shortest session that the broker takes; the handler outlasts one and a half of them.
    const sessionTimeoutMs = cluster.kind === 'kafka' ? 6_000 : SHORTEST_SESSION_MS;
    const consumer = { groupId, sessionTimeoutMs, heartbeatIntervalMs: sessionTimeoutMs / 10 };
    const app = await apps.service({ controllers: [Orders], options: { consumer } });
    app.get(KrafkaServer).on('state', ({ state }) => states.push(state));
    await apps.emit(topic, { value: 'a', partition: 0 }, { value: 'b', partition: 1 });
    await until('the calls', () => calls.length === 2);
    await new Promise((resolve) => setTimeout(resolve, sessionTimeoutMs * 1.5));
    const [group] = await cluster.krafka().admin().describeGroups([groupId]);
    expect(group?.members).toHaveLength(1);
    expect(app.get(KrafkaServer).groups.get(groupId)).toMatchObject({ state: 'stable', partitions: 2 });
    door.open();
    await app.close();
    expect(states.filter((state) => state === 'rebalancing')).toEqual([]);
    const committed = await cluster.krafka().admin().listGroupOffsets(groupId);
    expect(committed.map(({ offset }) => offset)).toEqual([1, 1]);
    expect(calls).toHaveLength(2);
  });
});

describe('Batches', () => {
  it('are there: a handler of many events at once (#9455)', async () => {
    const topic = await cluster.newTopic();
    const sizes: number[] = [];
    await apps.emit(topic, ...Array.from({ length: 100 }, (_, n) => n));

    @Controller()
    class Audit {
      @BatchPattern(topic, { maxRecords: 50 })
      audit(@Payload() numbers: readonly string[]): void {
        sizes.push(numbers.length);
      }
    }
    await apps.service({ controllers: [Audit] });
    await until('all of them', () => sizes.reduce((sum, size) => sum + size, 0) === 100);
    expect(sizes).toEqual([50, 50]);
  });
});

describe('One application', () => {
  it('reads in several groups, each with offsets of its own (#13421, #11290)', async () => {
    const topic = await cluster.newTopic();
    const [first, second] = [cluster.name('first'), cluster.name('second')];
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() name: string): void {
        seen.push(`first ${name}`);
      }

      @EventPattern(topic)
      @ConsumerGroup(second)
      index(@Payload() name: string): void {
        seen.push(`second ${name}`);
      }
    }
    const app = await apps.service({ controllers: [Orders], options: { consumer: { groupId: first } } });
    await apps.emit(topic, 'a', 'b');
    await until('both groups', () => seen.length === 4);
    await app.close();
    for (const groupId of [first, second]) {
      expect(await cluster.krafka().admin().listGroupOffsets(groupId)).toMatchObject([{ topic, offset: 2 }]);
    }
  });

  it('starts although a topic is missing, says so, and reads it once it is there (#13220)', async () => {
    const [there, late] = [await cluster.newTopic(), cluster.name('late')];
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(there)
      placed(@Payload() name: string): void {
        seen.push(name);
      }

      @EventPattern(late)
      late(@Payload() name: string): void {
        seen.push(name);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(there, 'a');
    await until('the one that is there', () => seen.length === 1);
    expect([...app.get(KrafkaServer).groups.values()]).toMatchObject([{ state: 'stable', missingTopics: [late] }]);
    await cluster.newTopic(1, {}, late);
    await apps.emit(late, 'b');
    await until('the late one', () => seen.length === 2);
  });

  it('tells the types of events in one topic apart (#6119)', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic, { when: { header: 'type', is: 'OrderPlaced' } })
      placed(): void {
        seen.push('placed');
      }

      @EventPattern(topic, { when: { header: 'type', is: ['OrderSent', 'OrderShipped'] } })
      sent(): void {
        seen.push('sent');
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    const types = ['OrderSent', 'OrderPlaced', 'SomethingElse', 'OrderShipped'];
    await apps.emit(topic, ...types.map((type) => ({ value: '{}', headers: { type } })));
    await until('all three', () => seen.length === 3);
    expect(seen).toEqual(['sent', 'placed', 'sent']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ unmatched: 1 });
  });

  it('makes request-scoped providers for each message and each handler, with their context (#9784, #10184)', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];
    let made = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Session {
      readonly id = ++made;
      constructor(@Inject(CONTEXT) readonly request: RequestContext<string, KrafkaContext>) {}
    }

    @Controller()
    class Orders {
      constructor(@Inject(Session) readonly session: Session) {}

      @EventPattern(topic)
      first(@Payload() name: string): void {
        const { data, context } = this.session.request;
        seen.push(`${name} ${data} ${context?.getTopic() === topic}`);
      }

      @EventPattern(topic)
      second(@Payload() name: string): void {
        seen.push(`${name} again`);
      }
    }
    await apps.service({ controllers: [Orders], providers: [Session] });
    await apps.emit(topic, 'a', 'b');
    await until('all calls', () => seen.length === 4);
    expect(seen.toSorted((a, b) => a.localeCompare(b))).toEqual(['a a true', 'a again', 'b again', 'b b true']);
    expect(made).toBe(4);
  });
});
