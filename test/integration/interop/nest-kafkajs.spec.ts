import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientKafka, Ctx, KafkaContext, Payload, RpcException, Transport } from '@nestjs/microservices';
import { concat, EMPTY, firstValueFrom, from, lastValueFrom, of, throwError, toArray, type Observable } from 'rxjs';
import { EventPattern, MessagePattern, type KrafkaClient } from '../../../lib/index.js';
import { builtInOptions } from '../../support/built-in-transport.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

// Nest's own Kafka transport, which speaks through kafkajs, on the other end of the wire.

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

interface Exchange {
  readonly requests: string;
  readonly events: string;
  readonly seen: {
    readonly payload: unknown;
    readonly key: unknown;
    readonly headers: unknown;
    readonly topic: string;
  }[];
  readonly controller: Type;
}

/** A controller that either transport can host, on topics of its own. */
async function exchange(): Promise<Exchange> {
  const requests = await cluster.newTopic(2);
  const events = await cluster.newTopic(2);
  // Nest's client reads its replies in a group, which wants the topic to be there.
  await cluster.newTopic(2, {}, `${requests}.reply`);
  const seen: Exchange['seen'] = [];

  @Controller()
  class Both {
    @MessagePattern(requests)
    answer(@Payload() query: { readonly ask: string }, @Ctx() context: KafkaContext): unknown {
      switch (query.ask) {
        case 'value':
          return { echo: query, topic: context.getTopic() };
        case 'promise':
          return Promise.resolve('text');
        case 'nothing':
          return undefined;
        case 'stream':
          return from([{ n: 1 }, { n: 2 }, { n: 3 }]);
        case 'slow stream':
          return concat(of('a'), from(new Promise((resolve) => setTimeout(resolve, 30, 'b'))));
        case 'empty':
          return EMPTY;
        case 'stream that fails':
          return concat(
            of('a'),
            throwError(() => new RpcException({ code: 'LATE' })),
          );
        case 'error object':
          throw new RpcException({ code: 'NO', details: [1] });
        case 'error text':
          throw new RpcException('no');
        default:
          throw new Error('hidden');
      }
    }

    @EventPattern(events)
    event(@Payload() payload: unknown, @Ctx() context: KafkaContext): void {
      const { key, headers } = context.getMessage();
      seen.push({ payload, key, headers, topic: context.getTopic() });
    }
  }
  return { requests, events, seen, controller: Both };
}

/** Runs a set of questions through either client. */
function questions(send: (query: { readonly ask: string }) => Observable<unknown>, requests: string) {
  const all = (ask: string): Promise<unknown[]> => lastValueFrom(send({ ask }).pipe(toArray()));
  return {
    all,
    check: async (): Promise<void> => {
      expect(await firstValueFrom(send({ ask: 'value' }))).toEqual({ echo: { ask: 'value' }, topic: requests });
      expect(await all('promise')).toEqual(['text']);
      expect(await all('nothing')).toEqual([null]);
      expect(await all('stream')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      await expect(all('error object')).rejects.toEqual({ code: 'NO', details: [1] });
      await expect(all('error text')).rejects.toEqual({ status: 'error', message: 'no' });
      await expect(all('error')).rejects.toEqual({ status: 'error', message: 'Internal server error' });
      await expect(all('stream that fails')).rejects.toEqual({ code: 'LATE' });
    },
  };
}

describe("Nest's own client", () => {
  it('asks our server and hears values, streams and errors', async () => {
    const { requests, controller } = await exchange();
    await apps.service({ controllers: [controller] });
    const client = apps.add(new ClientKafka(builtInOptions(cluster, cluster.name('client'))));
    client.subscribeToResponseOf(requests);
    await client.connect();
    const { check, all } = questions((query) => client.send(requests, query), requests);
    await check();
    // It can't tell the end alone from a null.
    expect(await all('empty')).toEqual([null]);
    expect(await all('slow stream')).toEqual(['a', 'b']);
    const many = Array.from({ length: 50 }, (_, n) => firstValueFrom(client.send(requests, { ask: 'value', n })));
    expect(await Promise.all(many)).toEqual(
      Array.from({ length: 50 }, (_, n) => ({ echo: { ask: 'value', n }, topic: requests })),
    );
  });

  it('emits to our server, keys and headers included', async () => {
    const { events, controller, seen } = await exchange();
    await apps.service({ controllers: [controller] });
    const client = apps.add(
      new ClientKafka({ ...builtInOptions(cluster, cluster.name('client')), producerOnlyMode: true }),
    );
    await client.connect();
    await lastValueFrom(client.emit(events, { key: 'k', value: { id: 1 }, headers: { trace: 't' } }));
    await lastValueFrom(client.emit(events, 'text'));
    await until('both events', () => seen.length === 2);
    expect(seen).toContainEqual({ payload: { id: 1 }, key: 'k', headers: { trace: 't' }, topic: events });
    expect(seen).toContainEqual({ payload: 'text', key: null, headers: {}, topic: events });
  });
});

/** Nest's own server. */
async function theirServer(controller: Type): Promise<void> {
  @Module({ controllers: [controller] })
  class App {}
  const app = await NestFactory.createMicroservice(App, {
    transport: Transport.KAFKA,
    options: builtInOptions(cluster, cluster.name('server')),
    logger: false,
  });
  apps.add(app);
  await app.listen();
}

describe('Our client', () => {
  let client: KrafkaClient;

  beforeEach(async () => {
    ({ client } = await apps.client());
  });

  it("asks Nest's own server and hears values, streams and errors", async () => {
    const { requests, controller } = await exchange();
    await theirServer(controller);
    const { check, all } = questions((query) => client.send(requests, query), requests);
    await check();
    expect(await all('slow stream')).toEqual(['a', 'b']);
    const many = Array.from({ length: 50 }, (_, n) => firstValueFrom(client.send(requests, { ask: 'value', n })));
    expect(await Promise.all(many)).toEqual(
      Array.from({ length: 50 }, (_, n) => ({ echo: { ask: 'value', n }, topic: requests })),
    );
    expect(client.replyStats()).toMatchObject({ pending: 0, foreign: 0 });
  });

  it("emits to Nest's own server, keys and headers included", async () => {
    const { events, controller, seen } = await exchange();
    await theirServer(controller);
    await lastValueFrom(client.emit(events, { key: 'k', value: { id: 1 }, headers: { trace: 't' } }));
    await lastValueFrom(client.emitBatch(events, { messages: ['text', [1]] }));
    await until('all events', () => seen.length === 3);
    expect(seen).toContainEqual({ payload: { id: 1 }, key: 'k', headers: { trace: 't' }, topic: events });
    expect(seen.map(({ payload }) => payload)).toEqual(expect.arrayContaining(['text', [1]]));
  });
});
