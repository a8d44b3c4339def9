import { Controller, Injectable, Module, ParseArrayPipe, ValidationPipe, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern as NestMessagePattern, Payload, RpcException, Transport } from '@nestjs/microservices';
import { Type as Nested } from 'class-transformer';
import { IsInt, IsPositive, IsString, ValidateNested } from 'class-validator';
import { firstValueFrom } from 'rxjs';
import { BatchPattern, EventPattern, KrafkaDeadLetters, KrafkaListener, KrafkaServer } from '../../../lib/index.js';
import { builtInOptions } from '../../support/built-in-transport.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

// class-validator and class-transformer, as applications use them with Nest's ValidationPipe.

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

class Line {
  @IsString()
  readonly sku!: string;

  @IsInt()
  @IsPositive()
  readonly quantity!: number;
}

class Order {
  @IsInt()
  readonly id!: number;

  @ValidateNested()
  @Nested(() => Line)
  readonly line!: Line;
}

const good = { id: 1, line: { sku: 'tea', quantity: 3 } };
const bad = { id: 'one', line: { sku: 'tea', quantity: -3 } };
const PROBLEMS = ['id must be an integer number', 'line.quantity must be a positive number'];

const onlyWhatIsKnown = (options: ConstructorParameters<typeof ValidationPipe>[0] = {}): ValidationPipe =>
  new ValidationPipe({ transform: true, whitelist: true, ...options });

/** The pipes that applications have, by how they say what is wrong. */
const PIPES: readonly (readonly [string, () => ValidationPipe])[] = [
  ['as it is', () => onlyWhatIsKnown()],
  [
    'with an RpcException of the errors',
    () => onlyWhatIsKnown({ exceptionFactory: (errors) => new RpcException(errors) }),
  ],
  ['with the errors themselves', () => onlyWhatIsKnown({ exceptionFactory: (errors) => errors })],
];

describe('A ValidationPipe', () => {
  it.each(PIPES)(
    'gives event handlers instances, and what it refuses to the dead letters after one call: %s',
    async (_how, pipe) => {
      const topic = await cluster.newTopic(1);
      const got: Order[] = [];

      @Controller()
      class Orders {
        @EventPattern(topic)
        placed(@Payload() order: Order): void {
          got.push(order);
        }
      }
      const app = await apps.service({
        controllers: [Orders],
        prepare: (service) => service.useGlobalPipes(pipe()),
      });
      await apps.emit(topic, bad, { ...good, extra: 1 });
      await until('the good order', () => got.length === 1);
      expect(got).toEqual([good]);
      expect(got[0]).toBeInstanceOf(Order);
      expect(got[0]?.line).toBeInstanceOf(Line);
      expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retries: 0, deadLetters: 1 });
      const { letters } = await app.get(KrafkaDeadLetters).list(topic);
      expect(letters.map(({ payload }) => payload)).toEqual([bad]);
      for (const problem of PROBLEMS) expect(letters[0]?.error.message).toContain(problem);
    },
  );

  it('works the same on listeners', async () => {
    const topic = await cluster.newTopic(1);
    const got: Order[] = [];

    @Injectable()
    class Orders {
      @KrafkaListener(topic)
      placed(@Payload(onlyWhatIsKnown()) order: Order): void {
        got.push(order);
      }
    }
    const app = await apps.service({ controllers: [], providers: [Orders] });
    await apps.emit(topic, bad, { ...good, extra: 1 });
    await until('the good order', () => got.length === 1);
    expect(got[0]).toBeInstanceOf(Order);
    expect(got).toEqual([good]);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retries: 0, deadLetters: 1 });
  });

  it('looks at each payload of a batch by a ParseArrayPipe: those it refuses go to the dead letters alone', async () => {
    const topic = await cluster.newTopic(1);
    const got: Order[] = [];

    @Controller()
    class Orders {
      @BatchPattern(topic)
      placed(@Payload(new ParseArrayPipe({ items: Order, whitelist: true })) orders: Order[]): void {
        got.push(...orders);
      }
    }
    const app = await apps.service({ controllers: [Orders] });
    await apps.emit(topic, { ...good, extra: 1 }, bad, { ...good, id: 2 });
    await until('the good orders', () => got.length === 2);
    expect(got).toEqual([good, { ...good, id: 2 }]);
    expect(got[0]).toBeInstanceOf(Order);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retries: 0, deadLetters: 1 });
  });

  it.each(PIPES)("answers requests as Nest's own transport does: %s", async (_how, pipe) => {
    const [ours, theirs] = [await cluster.newTopic(1), await cluster.newTopic(1)];

    const controllerOf = (topic: string): Type => {
      @Controller()
      class Orders {
        @NestMessagePattern(topic)
        place(@Payload() order: Order): unknown {
          return { placed: order, isOrder: order instanceof Order };
        }
      }
      return Orders;
    };
    await apps.service({
      controllers: [controllerOf(ours)],
      prepare: (service) => service.useGlobalPipes(pipe()),
    });

    @Module({ controllers: [controllerOf(theirs)] })
    class Theirs {}
    const app = apps.add(
      await NestFactory.createMicroservice(Theirs, {
        transport: Transport.KAFKA,
        options: builtInOptions(cluster, cluster.name('theirs')),
        logger: false,
      }),
    );
    app.useGlobalPipes(pipe());
    await app.listen();
    const { client } = await apps.client();
    const ask = (topic: string, order: unknown): Promise<unknown> =>
      firstValueFrom(client.send(topic, order as object)).catch((error: unknown) => ({ refused: error }));
    expect(await ask(ours, { ...good, extra: 1 })).toEqual({ placed: good, isOrder: true });
    const refusal = await ask(ours, bad);
    expect(refusal).toEqual(await ask(theirs, bad));
    expect(refusal).toHaveProperty('refused');
  });
});
