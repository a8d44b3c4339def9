import { Controller, UsePipes, BadRequestException, type PipeTransform } from '@nestjs/common';
import {
  Ctx,
  EventPattern as NestEventPattern,
  MessagePattern as NestMessagePattern,
  Payload,
} from '@nestjs/microservices';
import { EMPTY, lastValueFrom, throwError, type Observable } from 'rxjs';
import {
  EventPattern,
  KrafkaContext,
  KrafkaDeadLetters,
  KrafkaServer,
  MessagePattern,
  OnFailure,
  RetryTopics,
} from '../../../../lib/index.js';
import { aDoor, NestApps, until } from '../../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../../support/test-cluster.js';

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

const circular = (): object => {
  const ring: Record<string, unknown> = {};
  ring['ring'] = ring;
  return ring;
};

/** Whatever JavaScript lets one throw. */
const THROWN: readonly [string, () => unknown][] = [
  ['an error', () => new Error('no')],
  ['nothing', () => undefined],
  ['null', () => null],
  ['a text', () => 'no'],
  ['a number', () => 0],
  ['a circular object', circular],
  ['an object without a prototype', () => Object.create(null) as unknown],
  ['a symbol', () => Symbol('no')],
  [
    'an object whose properties throw',
    () =>
      Object.defineProperty({}, 'message', {
        get: () => {
          throw new Error('x');
        },
      }),
  ],
];

describe('An event handler that fails for ever (#10091, #10972, #14664, #9044)', () => {
  it('is called as often as its policy says, and those behind the event are handled (#10091, #14664)', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    class Orders {
      @NestEventPattern(topic)
      placed(@Payload() name: unknown): void {
        seen.push(String(name));
        if (name === 'poison') throw new Error('never');
      }
    }
    const options = { onFailure: { retries: 2, backoffMs: 1 } };
    const app = await apps.service({ controllers: [Orders], options });
    await apps.emit(topic, 'poison', 'behind');
    await until('the one behind', () => seen.includes('behind'));
    expect(seen).toEqual(['poison', 'poison', 'poison', 'behind']);
    await app.close();

    await apps.service({
      controllers: [Orders],
      options: { ...options, consumer: { groupId: cluster.name('other') } },
    });
    await until('another group to have done it too', () => seen.filter((name) => name === 'behind').length === 2);
    expect(seen.filter((name) => name === 'poison')).toHaveLength(6);
  });

  it('holds up no other partition while it is tried again (#10972)', async () => {
    const topic = await cluster.newTopic(2);
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 1_000_000, backoffMs: 5, maxBackoffMs: 5 })
      placed(@Payload() name: string): void {
        if (name === 'poison') throw new Error('never');
        seen.push(name);
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(
      topic,
      { value: 'poison', partition: 0 },
      { value: 'a', partition: 1 },
      { value: 'b', partition: 1 },
    );
    await until('the other partition', () => seen.length === 2);
    expect(seen).toEqual(['a', 'b']);
  });

  it.each(THROWN)('whatever it throws: %s (#9044)', async (_what, thrown) => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    @OnFailure({ retries: 0 })
    class Orders {
      @EventPattern(topic)
      placed(@Payload() name: string): Observable<never> | undefined {
        if (name === 'throws') throw thrown();
        if (name === 'fails') return throwError(thrown);
        seen.push(name);
        return undefined;
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'throws', 'fails', 'behind');
    await until('the one behind', () => seen.length === 1);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ deadLetters: 2, skipped: 0 });
    expect(app.get(KrafkaServer).groups.values().next().value).toMatchObject({ state: 'stable' });
  });

  it('and one whose pipe refuses the event is not called again at all (#9044)', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];
    let refusals = 0;

    class Strict implements PipeTransform {
      transform(value: unknown): unknown {
        if (typeof value === 'object') return value;
        refusals += 1;
        throw new BadRequestException('no object');
      }
    }

    @Controller()
    class Orders {
      @EventPattern(topic)
      @UsePipes(new Strict())
      placed(@Payload() order: unknown): void {
        seen.push(order);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, '{"broken', { id: 1 });
    await until('the one behind', () => seen.length === 1);
    expect({ refusals, seen }).toEqual({ refusals: 1, seen: [{ id: 1 }] });
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ deadLetters: 1, retries: 0 });
  });

  it('while one that returns an empty stream has handled its event (#14664)', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() name: string): Observable<never> {
        seen.push(name);
        return EMPTY;
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'a', 'b');
    await until('both', () => seen.length === 2);
    expect(seen).toEqual(['a', 'b']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retries: 0, deadLetters: 0 });
  });
});

describe('A tombstone', () => {
  it('is null to its handler, not the raw message', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      gone(@Payload() payload: unknown, @Ctx() context: KrafkaContext): void {
        seen.push(payload, context.getMessage().value);
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(topic, { key: 'k', value: null });
    await until('it', () => seen.length === 2);
    expect(seen).toEqual([null, null]);
  });
});

describe('Retries that end, and a place for what fails for good (#14930)', () => {
  it('are there by default: the event is in <topic>-dlt with its bytes, and can be replayed (#14930)', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];
    let mended = false;

    @Controller()
    class Orders {
      @NestEventPattern(topic)
      placed(@Payload() order: unknown): void {
        if (!mended) throw new BadRequestException('not today');
        seen.push(order);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, { key: 'k', value: { id: 7 } });
    const deadLetters = app.get(KrafkaDeadLetters);
    await until('the dead letter', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 1);
    const { letters } = await deadLetters.list(topic);
    expect(letters).toMatchObject([{ payload: { id: 7 }, error: { message: 'not today' } }]);
    mended = true;
    expect(await deadLetters.replay(topic)).toMatchObject({ replayed: 1, done: true });
    await until('the replay', () => seen.length === 1);
    expect(seen).toEqual([{ id: 7 }]);
  });

  it('need not hold up anybody: retry topics bring the event back later (#14930)', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];
    const behind = aDoor();

    @Controller()
    class Orders {
      @EventPattern(topic)
      @RetryTopics({ delaysMs: [1] })
      @OnFailure({ retries: 0 })
      async placed(@Payload() name: string, @Ctx() context: KrafkaContext): Promise<void> {
        if (name === 'bad' && context.attempt === 1) throw new Error('not yet');
        // The one behind must not have to wait for this.
        if (name === 'bad') await behind.opened;
        seen.push(name);
        behind.open();
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(topic, 'bad', 'behind');
    await until('both', () => seen.length === 2);
    expect(seen).toEqual(['behind', 'bad']);
  });
});

describe('A request whose handler or answer is broken', () => {
  it.each(THROWN)('is answered with an error, whatever the handler throws: %s', async (_what, thrown) => {
    const topic = await cluster.newTopic();

    @Controller()
    class Shop {
      @NestMessagePattern(topic)
      price(@Payload() how: string): Observable<never> | string {
        if (how === 'throws') throw thrown();
        if (how === 'fails') return throwError(thrown);
        return 'ten';
      }
    }
    await apps.service({ controllers: [Shop] });
    const { client } = await apps.client();
    for (const how of ['throws', 'fails']) {
      const outcome = await lastValueFrom(client.send(topic, how)).then(
        () => 'answered',
        () => 'refused',
      );
      expect(outcome).toBe('refused');
    }
    expect(await lastValueFrom(client.send(topic, 'well'))).toBe('ten');
  });

  it.each([
    ['has no form as bytes', circular],
    ['is a function', () => () => 1],
    ['is too large for a record', () => 'x'.repeat(3 * 1024 * 1024)],
  ])('is answered with an error when its answer %s', async (_what, answer) => {
    const topic = await cluster.newTopic();

    @Controller()
    class Shop {
      @MessagePattern(topic)
      price(@Payload() how: string): unknown {
        return how === 'bad' ? answer() : 'ten';
      }
    }
    await apps.service({ controllers: [Shop] });
    const { client } = await apps.client();
    await expect(lastValueFrom(client.send(topic, 'bad'))).rejects.toMatchObject({ status: 'error' });
    expect(await lastValueFrom(client.send(topic, 'good'))).toBe('ten');
  });
});
