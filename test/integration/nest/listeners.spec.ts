import { jest } from '@jest/globals';
import {
  BadRequestException,
  Catch,
  Controller,
  Inject,
  Injectable,
  Logger,
  Scope,
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
import { Ctx, Payload } from '@nestjs/microservices';
import { EMPTY, firstValueFrom, ignoreElements, of, tap, throwError, type Observable } from 'rxjs';
import {
  ConsumerGroup,
  EventPattern,
  KrafkaContext,
  KrafkaDeadLetters,
  KrafkaListener,
  KrafkaServer,
  OnFailure,
  RecordKey,
} from '../../../lib/index.js';
import { NestApps, until } from '../../support/nest-apps.js';
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

describe('A listener on a plain provider', () => {
  it("stands in Nest's whole pipeline", async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Injectable()
    class OnlyFriends implements CanActivate {
      canActivate(host: ExecutionContext): boolean {
        return host.switchToRpc().getContext<KrafkaContext>().getMessage().headers['friend'] === 'yes';
      }
    }

    @Injectable()
    class Told implements NestInterceptor {
      intercept(_host: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(tap(() => void seen.push('told')));
      }
    }

    class Loud implements PipeTransform {
      transform(value: unknown): unknown {
        return typeof value === 'string' ? value.toUpperCase() : value;
      }
    }

    class Lost extends Error {}

    @Catch(Lost)
    class Found implements ExceptionFilter<Lost> {
      catch(error: Lost, host: ArgumentsHost): Observable<unknown> {
        seen.push(`found ${error.message} ${host.getType()}`);
        return of(undefined);
      }
    }

    @Injectable()
    @UseFilters(Found)
    @OnFailure({ retries: 0 })
    class Search {
      @KrafkaListener(topic)
      @UseGuards(OnlyFriends)
      @UseInterceptors(Told)
      index(@Payload(new Loud()) name: string, @RecordKey() key: string, @Ctx() context: KrafkaContext): void {
        if (name === 'LOST') throw new Lost(key);
        seen.push(`${name} ${key} ${context.getTopic() === topic}`);
      }
    }
    const app = await apps.service({ controllers: [], providers: [Search, OnlyFriends, Told] });
    const headers = { friend: 'yes' };
    await apps.emit(
      topic,
      { value: 'a', key: 'k', headers },
      { value: 'lost', key: 'l', headers },
      { value: 'b', key: 'x' },
    );
    await until('the stranger', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 1);
    expect(seen).toEqual(['A k true', 'told', 'found l rpc']);
  });

  it('is given the payload alone, through its pipes, where it says nothing else', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[][] = [];

    class Strict implements PipeTransform {
      transform(value: unknown): unknown {
        if (value === 'bad') throw new BadRequestException('bad');
        return value;
      }
    }

    @Injectable()
    class Search {
      @KrafkaListener(topic)
      @UsePipes(new Strict())
      index(...args: unknown[]): Observable<never> {
        seen.push(args);
        return EMPTY;
      }
    }
    const app = await apps.service({ controllers: [], providers: [Search] });
    await apps.emit(topic, 'bad', { id: 1 });
    await until('the good one', () => seen.length === 1);
    expect(seen).toEqual([[{ id: 1 }]]);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ deadLetters: 1, retries: 0 });
  });

  it('has failed when it waited for a value that never came, and has not when its own stream has none', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];

    @Catch()
    class Heard implements ExceptionFilter {
      catch(error: unknown): Observable<never> {
        seen.push((error as Error).name);
        return throwError(() => error);
      }
    }

    @Injectable()
    @UseFilters(Heard)
    @OnFailure({ retries: 0 })
    class Search {
      @KrafkaListener(topic)
      async index(@Payload() what: string): Promise<unknown> {
        seen.push(what);
        if (what === 'waits for nothing') await firstValueFrom(EMPTY);
        return what;
      }

      @KrafkaListener(topic)
      @UseInterceptors({
        intercept: (_host: ExecutionContext, next: CallHandler) => next.handle().pipe(ignoreElements()),
      })
      none(): Observable<never> {
        return EMPTY;
      }
    }
    const app = await apps.service({ controllers: [], providers: [Search] });
    await apps.emit(topic, 'waits for nothing', 'waits');
    await until('the one behind', () => seen.includes('waits'));
    expect(seen).toEqual(['waits for nothing', 'EmptyError', 'waits']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ deadLetters: 1 });
    const { letters } = await app.get(KrafkaDeadLetters).list(topic);
    expect(letters).toMatchObject([{ error: { message: 'no elements in sequence' } }]);
  });

  it('has its own groups, batches and request scope, and each provider listens once', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];
    let made = 0;

    @Injectable({ scope: Scope.REQUEST })
    class Session {
      readonly id = ++made;
    }

    @Injectable()
    class Scoped {
      constructor(@Inject(Session) readonly session: Session) {}

      @KrafkaListener(topic)
      placed(@Payload() name: string): void {
        seen.push(`scoped ${name} ${this.session.id}`);
      }
    }

    @Injectable()
    class Audit {
      @KrafkaListener(topic, { batch: { maxRecords: 10 } })
      @ConsumerGroup(cluster.name('audit'))
      audit(@Payload() names: readonly string[]): void {
        seen.push(`audit ${names.join()}`);
      }
    }
    await apps.emit(topic, 'a', 'b');
    const providers = [Session, Scoped, Audit, { provide: 'ALIAS', useExisting: Audit }];
    await apps.service({ controllers: [], providers });
    await until('both', () => seen.length >= 3);
    expect(seen.toSorted((a, b) => a.localeCompare(b))).toEqual(['audit a,b', 'scoped a 1', 'scoped b 2']);
  });

  it('has one pattern decorator', () => {
    const twice = (): unknown => {
      class Search {
        @KrafkaListener('a')
        @KrafkaListener('b')
        index(): void {}
      }
      return Search;
    };
    expect(twice).toThrow("'@KrafkaListener(a)' stands on Search.index, which has a pattern already");
  });
});

describe('A method that nothing would call', () => {
  it('is refused by name at the start when something is said of it', async () => {
    const topic = await cluster.newTopic();

    @Injectable()
    class Search {
      @KrafkaListener(topic)
      index(): void {}

      @OnFailure({ retries: 1 })
      @ConsumerGroup('search')
      forgotten(): void {}
    }
    await expect(apps.service({ controllers: [], providers: [Search] })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      option: 'consumerGroup, onFailure',
      message: expect.stringContaining('is said of Search.forgotten, which no pattern decorator is on') as string,
    });
  });

  it('is told of when it has the pattern of a handler and its class is no controller', async () => {
    const topic = await cluster.newTopic();
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();

    @Injectable()
    class Search {
      @EventPattern(topic)
      index(): void {}
    }

    class Base {
      @EventPattern(topic)
      placed(): void {}
    }

    @Controller()
    class Orders extends Base {}
    await apps.service({ controllers: [Orders], providers: [Search, Orders, Base] });
    const told = warn.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('is never called'));
    warn.mockRestore();
    expect(told).toEqual([expect.stringContaining('Search.index has a pattern decorator')]);
  });
});
