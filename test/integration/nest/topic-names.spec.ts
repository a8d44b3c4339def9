import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern as NestEventPattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import {
  EventPattern,
  fromConfig,
  KrafkaClient,
  KrafkaModule,
  KrafkaServer,
  MessagePattern,
} from '../../../lib/index.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => void (cluster = await openTestCluster()));
beforeEach(() => void (apps = new NestApps(cluster)));
afterEach(() => apps.close());
afterAll(() => cluster.close());

describe('Topic names that the configuration knows (#3912)', () => {
  it('reach handlers of both kinds of decorators, and clients, from a service that dependency injection made', async () => {
    const [prices, placed, also] = await Promise.all([cluster.newTopic(), cluster.newTopic(), cluster.newTopic()]);
    const seen: unknown[] = [];

    @Injectable()
    class ConfigService {
      get(key: string): string | undefined {
        return { PRICES: prices, EVENTS: `${placed}, ${also}` }[key];
      }
    }

    @Module({ providers: [ConfigService], exports: [ConfigService] })
    class ConfigModule {}

    @Controller()
    class Orders {
      @MessagePattern(fromConfig('PRICES'))
      price(@Payload() payload: unknown): unknown {
        return { price: payload };
      }

      @EventPattern(fromConfig('EVENTS'))
      one(@Payload() payload: unknown): void {
        seen.push(payload);
      }

      @NestEventPattern(fromConfig('ABSENT', placed))
      two(@Payload() payload: unknown): void {
        seen.push(`${String(payload)} again`);
      }
    }

    @Module({
      imports: [
        KrafkaModule.forRootAsync({
          imports: [ConfigModule],
          inject: [ConfigService],
          useFactory: (config: ConfigService) =>
            apps.options({ topicNames: config, consumer: { groupId: cluster.name('group'), fromBeginning: true } }),
        }),
      ],
      controllers: [Orders],
    })
    class App {}
    const app = apps.add(await NestFactory.createMicroservice(App, { ...KrafkaServer.fromModule(), logger: false }));
    await app.listen();
    const client = app.get(KrafkaClient);
    expect(await firstValueFrom(client.send(fromConfig('PRICES'), 7))).toEqual({ price: '7' });
    await lastValueFrom(client.emit(placed, 'a'));
    await lastValueFrom(client.emit(also, 'b'));
    await until('all events', () => seen.length === 3);
    expect(seen.map(String).toSorted()).toEqual(['a', 'a again', 'b']);
    expect(() => client.subscribeToResponseOf(fromConfig('EVENTS'))).toThrow('names 2 topics');
  });

  it('stop the start when they are missing, by their key', async () => {
    @Controller()
    class Orders {
      @EventPattern(fromConfig('ORDERS_TOPIC'))
      placed(): void {}
    }
    await expect(apps.service({ controllers: [Orders], options: { topicNames: {} } })).rejects.toThrow(
      "Option 'topicNames.ORDERS_TOPIC' is missing",
    );
  });

  it("that a decorator of Nest's takes the place of are refused at start, by the name of the method", async () => {
    const [one, other] = [await cluster.newTopic(), await cluster.newTopic()];

    @Controller()
    class Orders {
      @NestEventPattern(one)
      @EventPattern(other)
      placed(@Payload() _payload: unknown): void {}
    }

    await expect(apps.service({ controllers: [Orders] })).rejects.toThrow(
      `'pattern ${one}' stands on Orders.placed, which has the pattern '${other}' already`,
    );
  });
});
