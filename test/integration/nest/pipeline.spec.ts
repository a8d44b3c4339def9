import {
  Catch,
  Controller,
  Inject,
  Injectable,
  Scope,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import {
  CONTEXT,
  Ctx,
  EventPattern as NestEventPattern,
  KafkaContext,
  MessagePattern as NestMessagePattern,
  Payload,
  RpcException,
  Transport,
  type RequestContext,
} from '@nestjs/microservices';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { firstValueFrom, lastValueFrom, map, of, tap, type Observable } from 'rxjs';
import {
  BatchPattern,
  ConsumerGroup,
  EventPattern,
  KrafkaBatchContext,
  KrafkaContext,
  KrafkaListener,
  KrafkaServer,
  MessagePattern,
} from '../../../lib/index.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => {
  cluster = await openTestCluster();
  apps = new NestApps(cluster);
});

afterAll(async () => {
  await apps.close();
  await cluster.close();
});

@Injectable()
class OnlyFriends implements CanActivate {
  canActivate(host: ExecutionContext): boolean {
    return host.switchToRpc().getContext<KrafkaContext>().getMessage().headers['friend'] === 'yes';
  }
}

class Doubled implements PipeTransform {
  transform(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || !('n' in value)) return value;
    return { n: Number(value.n) * 2 };
  }
}

@Injectable()
class Wrapped implements NestInterceptor {
  intercept(_host: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: unknown) => ({ wrapped: value })));
  }
}

class NoSuchThing extends Error {}

@Catch(NoSuchThing)
class NoSuchThingFilter implements ExceptionFilter<NoSuchThing> {
  catch(error: NoSuchThing, host: ArgumentsHost): Observable<unknown> {
    return of({ recovered: error.message, topic: host.switchToRpc().getContext<KrafkaContext>().getTopic() });
  }
}

describe("Nest's pipeline around a handler", () => {
  it('lets guards, pipes, interceptors and filters do their work', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    @UseFilters(NoSuchThingFilter)
    class Numbers {
      @MessagePattern(topic)
      @UseGuards(OnlyFriends)
      @UseInterceptors(Wrapped)
      @UsePipes(Doubled)
      answer(@Payload() { n }: { readonly n: number }): number {
        if (n < 0) throw new NoSuchThing('negative');
        return n;
      }
    }
    await apps.service({ controllers: [Numbers], providers: [OnlyFriends, Wrapped] });
    const { client } = await apps.client();
    const ask = (n: number, friend = 'yes'): Promise<unknown> =>
      firstValueFrom(client.send(topic, { value: { n }, headers: { friend } }));
    expect(await ask(21)).toEqual({ wrapped: 42 });
    expect(await ask(-1)).toEqual({ recovered: 'negative', topic });
    await expect(ask(1, 'no')).rejects.toEqual({ status: 'error', message: 'Forbidden resource' });
  });

  it('takes the global ones of the application', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Numbers {
      @MessagePattern(topic)
      answer(@Payload() { n }: { readonly n: number }): { readonly n: number } {
        if (n > 100) throw new NoSuchThing('too much');
        return { n };
      }
    }
    await apps.service({
      controllers: [Numbers],
      prepare: (app) => {
        app.useGlobalPipes(new Doubled());
        app.useGlobalInterceptors(new Wrapped());
        app.useGlobalFilters(new NoSuchThingFilter());
      },
    });
    const { client } = await apps.client();
    expect(await firstValueFrom(client.send(topic, { n: 2 }))).toEqual({ wrapped: { n: 4 } });
    expect(await firstValueFrom(client.send(topic, { n: 60 }))).toEqual({ recovered: 'too much', topic });
  });

  it('makes REQUEST-scoped providers anew for every record, which can ask for its context', async () => {
    const topic = await cluster.newTopic();
    let made = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Visit {
      readonly number = ++made;
      constructor(@Inject(CONTEXT) readonly request: RequestContext<unknown, KrafkaContext>) {}
    }

    @Controller()
    class Visits {
      constructor(@Inject(Visit) private readonly visit: Visit) {}

      @MessagePattern(topic)
      answer(): unknown {
        const { request, number } = this.visit;
        return { number, offset: request.getContext().getMessage().offset, data: request.getData() };
      }

      @EventPattern(`${topic}-events`)
      event(): void {
        events.push(this.visit.number);
      }

      @EventPattern(`${topic}-events`)
      another(): void {
        events.push(this.visit.number);
      }
    }
    const events: number[] = [];
    await cluster.newTopic(1, {}, `${topic}-events`);
    await apps.service({ controllers: [Visits], providers: [Visit] });
    const { client } = await apps.client();
    expect(await firstValueFrom(client.send(topic, { a: 1 }))).toEqual({ number: 1, offset: '0', data: { a: 1 } });
    expect(await firstValueFrom(client.send(topic, { a: 2 }))).toEqual({ number: 2, offset: '1', data: { a: 2 } });
    await lastValueFrom(client.emit(`${topic}-events`, 1));
    await until('both handlers', () => events.length === 2);
    expect(new Set(events)).toEqual(new Set([3, 4]));
  });

  it("takes Nest's own decorators, and its context for what it is", async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Nest {
      @NestMessagePattern(topic, Transport.KAFKA)
      @SetMetadata('any', 'thing')
      answer(@Payload('sku') sku: string, @Ctx() context: KafkaContext): unknown {
        return {
          sku,
          kafka: context instanceof KafkaContext,
          args: context.getArgs().length,
          topic: context.getArgByIndex(2),
        };
      }

      @NestEventPattern(`${topic}-events`)
      async event(payload: unknown): Promise<void> {
        seen.push(payload);
      }

      // Without it Nest's types refuse the second argument.
      // oxlint-disable-next-line typescript/no-unnecessary-type-arguments
      @NestEventPattern<string>(`${topic}-events`, Transport.TCP)
      notForUs(): void {
        seen.push('another transport');
      }
    }
    await cluster.newTopic(1, {}, `${topic}-events`);
    await apps.service({ controllers: [Nest] });
    const { client } = await apps.client();
    expect(await firstValueFrom(client.send(topic, { sku: 'a' }))).toEqual({ sku: 'a', kafka: true, args: 6, topic });
    await lastValueFrom(client.emit(`${topic}-events`, { id: 1 }));
    await until('the event', () => seen.length > 0);
    expect(seen).toEqual([{ id: 1 }]);
  });

  it("gives handlers the consumer and the producer that are theirs, and a heartbeat that is there for Nest's sake", async () => {
    const [orders, copies, batches] = [await cluster.newTopic(), await cluster.newTopic(), await cluster.newTopic()];
    const copied: unknown[] = [];
    const own: unknown[] = [];

    /** Whether the context is of the consumer that reads the topic, and shows the same in either way. */
    const isOf = (context: KrafkaContext | KrafkaBatchContext, topic: string): boolean =>
      context
        .getConsumer()
        .assignment()
        .some((one) => one.topic === topic) && context.getArgByIndex(3) === context.getConsumer();

    @Controller()
    class Orders {
      @EventPattern(orders)
      async placed(@Payload() name: string, @Ctx() context: KrafkaContext): Promise<void> {
        await context.getHeartbeat()();
        const { offset } = await context.getProducer().send({ topic: copies, value: `${name} again` });
        own.push(isOf(context, orders), context.getArgByIndex(5) === context.getProducer(), offset);
      }

      @EventPattern(copies)
      copied(@Payload() name: string, @Ctx() context: KrafkaContext): void {
        copied.push(name, isOf(context, copies));
      }

      @BatchPattern(batches)
      @ConsumerGroup(cluster.name('audit'))
      async audit(@Payload() names: readonly string[], @Ctx() context: KrafkaBatchContext): Promise<void> {
        await context.getHeartbeat()();
        await context.getProducer().send({ topic: copies, value: `${names.join()} again` });
        own.push(isOf(context, batches), isOf(context, orders));
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(orders, 'a');
    await until('the copy', () => copied.length === 2);
    await until('the event to end', () => own.length === 3);
    await apps.emit(batches, 'b');
    await until('the copy of the batch', () => copied.length === 4);
    await until('the batch to end', () => own.length === 5);
    expect(copied).toEqual(['a again', true, 'b again', true]);
    expect(own).toEqual([true, true, 0, true, false]);
  });

  it('takes the enhancers that modules provide for the whole application, for controllers and listeners alike', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Numbers {
      @EventPattern(topic)
      placed(@Payload() { n }: { readonly n: number }): number {
        if (n > 100) throw new NoSuchThing('too much');
        return n;
      }
    }

    @Injectable()
    class Search {
      @KrafkaListener(topic)
      @ConsumerGroup(cluster.name('search'))
      index(@Payload() { n }: { readonly n: number }): number {
        if (n > 100) throw new NoSuchThing('too much');
        return n;
      }
    }

    @Injectable()
    class Told implements NestInterceptor {
      intercept(host: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(tap((n) => void seen.push(`${host.getClass().name} ${String(n)}`)));
      }
    }

    @Catch(NoSuchThing)
    class Found implements ExceptionFilter<NoSuchThing> {
      catch({ message }: NoSuchThing): Observable<unknown> {
        seen.push(message);
        return of(undefined);
      }
    }
    const app = await apps.service({
      controllers: [Numbers],
      providers: [
        Search,
        { provide: APP_GUARD, useClass: OnlyFriends },
        { provide: APP_PIPE, useClass: Doubled },
        { provide: APP_INTERCEPTOR, useClass: Told },
        { provide: APP_FILTER, useClass: Found },
      ],
    });
    const headers = { friend: 'yes' };
    await apps.emit(topic, { value: { n: 21 }, headers }, { value: { n: 60 }, headers }, { value: { n: 1 } });
    await until('the strangers', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 2);
    expect(seen.map(String).toSorted()).toEqual(['Numbers 42', 'Search 42', 'too much', 'too much']);
  });

  it('makes REQUEST-scoped guards and pipes anew for every record a listener gets', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];
    let made = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Visitor implements CanActivate {
      readonly #number = ++made;
      constructor(@Inject(CONTEXT) private readonly request: RequestContext<unknown, KrafkaContext>) {}

      canActivate(): boolean {
        const { offset } = this.request.getContext().getMessage();
        seen.push(`visitor ${this.#number} of ${offset}`);
        return offset !== '1';
      }
    }

    @Injectable({ scope: Scope.REQUEST })
    class Marked implements PipeTransform {
      constructor(@Inject(CONTEXT) private readonly request: RequestContext<unknown, KrafkaContext>) {}

      transform(value: unknown): string {
        return `${String(value)} at ${this.request.getContext().getMessage().offset}`;
      }
    }

    @Injectable()
    class Search {
      @KrafkaListener(topic)
      @UseGuards(Visitor)
      index(@Payload(Marked) name: string): void {
        seen.push(name);
      }
    }
    const app = await apps.service({ controllers: [], providers: [Search] });
    await apps.emit(topic, 'a', 'b', 'c');
    await until('the last', () => seen.includes('c at 2'));
    expect(seen).toEqual(['visitor 1 of 0', 'a at 0', 'visitor 2 of 1', 'visitor 3 of 2', 'c at 2']);
    expect(app.get(KrafkaServer).deliveryCounts().deadLetters).toBe(1);
  });

  it('runs between the processing hooks, which end once', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Hooked {
      @MessagePattern(topic)
      answer(@Payload() payload: { readonly fail?: boolean }): Observable<string> {
        if (payload.fail === true) throw new RpcException('no');
        return of('a', 'b');
      }
    }
    const calls: string[] = [];
    const app = await apps.service({
      controllers: [Hooked],
      prepare: (service) => {
        const server = service.getTransportServer() as unknown as {
          setOnProcessingStartHook(
            hook: (id: unknown, context: KrafkaContext, done: () => Promise<unknown>) => void,
          ): void;
          setOnProcessingEndHook(hook: (id: unknown, context: KrafkaContext) => void): void;
        };
        server.setOnProcessingStartHook((_id, context, done) => {
          calls.push(`start ${context.getMessage().offset}`);
          void done();
        });
        server.setOnProcessingEndHook((_id, context) => calls.push(`end ${context.getMessage().offset}`));
      },
    });
    expect(app).toBeDefined();
    const { client } = await apps.client();
    await lastValueFrom(client.send(topic, {}));
    await expect(lastValueFrom(client.send(topic, { fail: true }))).rejects.toEqual({ status: 'error', message: 'no' });
    expect(calls).toEqual(['start 0', 'end 0', 'start 1', 'end 1']);
  });

  it('sends what a dispatch hook adds along as headers', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Traced {
      @MessagePattern(topic)
      answer(@Ctx() context: KrafkaContext): unknown {
        return context.getMessage().headers['traceparent'];
      }
    }
    await apps.service({ controllers: [Traced] });
    const { client } = await apps.client();
    client.setOnDispatchHook((packet) => {
      packet.metadata = { ...packet.metadata, traceparent: '00-abc' };
    });
    expect(await firstValueFrom(client.send(topic, {}))).toBe('00-abc');
  });
});
