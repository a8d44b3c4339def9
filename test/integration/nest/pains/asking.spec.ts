import { readFileSync } from 'node:fs';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, NEVER, timer } from 'rxjs';
import {
  EventPattern,
  getKrafkaClientToken,
  KrafkaClient,
  KrafkaModule,
  KrafkaServer,
  KrafkaTimeoutError,
  MessagePattern,
  OnFailure,
  rawSerde,
  type KrafkaSerde,
} from '../../../../lib/index.js';
import { EmbeddedBroker } from '../../../../lib/testing/index.js';
import { NestApps, until } from '../../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => void (cluster = await openTestCluster()));
beforeEach(() => void (apps = new NestApps(cluster)));
afterEach(() => apps.close());
afterAll(() => cluster.close());

/** A service that answers with what it is asked; after a while, or never, where it is asked for that. */
async function echo(topic: string, groupId = cluster.name('group')) {
  @Controller()
  class Echo {
    @MessagePattern(topic)
    answer(@Payload() payload: { readonly n?: number; readonly never?: boolean; readonly slow?: boolean }): unknown {
      if (payload.never) return NEVER;
      return payload.slow ? timer(20) : payload;
    }
  }
  return apps.service({ controllers: [Echo], options: { consumer: { groupId }, shutdownTimeoutMs: 1_000 } });
}

describe('A client', () => {
  it('asks on a pattern that nobody announced, and reads its reply topic by itself (#11264)', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const { client } = await apps.client();
    expect(await firstValueFrom(client.send(topic, { n: 1 }))).toEqual({ n: 1 });
  });

  it('is connected without a group to join: connect() makes none, nor does a request', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const clientId = cluster.name('caller');
    const { client } = await apps.client({ clientId });
    const groups = async (): Promise<string[]> => (await client.admin.listGroups()).map(({ groupId }) => groupId);
    const before = await groups();
    await client.connect();
    await firstValueFrom(client.send(topic, { n: 1 }));
    const since = (await groups()).filter((groupId) => !before.includes(groupId));
    // On a cluster that is not ours alone, others may have made theirs in the meantime.
    if (cluster.kind === 'embedded') expect(since).toEqual([]);
    for (const groupId of since) {
      const [group] = await client.admin.describeGroups([groupId]).catch(() => []);
      expect(group?.members.map((member) => member.clientId) ?? []).not.toContain(clientId);
    }
  });

  it('loses no event that is emitted before it is connected (#10449)', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(payload);
      }
    }
    const { client } = await apps.client();
    // Nobody awaits, nobody has called connect().
    for (const n of [1, 2, 3]) client.emit(topic, String(n));
    await apps.service({ controllers: [Orders] });
    await until('all events', () => seen.length === 3);
    expect(seen).toEqual(['1', '2', '3']);
  });

  it('has its reply partition while others come and go, who share the one there is (#6197)', async () => {
    const topic = await cluster.newTopic();
    await cluster.newTopic(1, {}, `${topic}.reply`);
    await echo(topic);
    const { client } = await apps.client();
    for (let round = 0; round < 5; round++) {
      const other = await apps.client();
      const asked = [0, 1, 2, 3].map((n) => firstValueFrom(client.send(topic, { n })));
      expect(await firstValueFrom(other.client.send(topic, { n: round }))).toEqual({ n: round });
      await other.app.close();
      expect(await Promise.all(asked)).toEqual([0, 1, 2, 3].map((n) => ({ n })));
    }
  });

  it('gets every answer while the group of the servers rebalances (#12355)', async () => {
    const topic = await cluster.newTopic(4);
    const groupId = cluster.name('group');
    const first = await echo(topic, groupId);
    const { client } = await apps.client();
    await firstValueFrom(client.send(topic, { n: -1 }));
    const stop = new AbortController();
    let answered = 0;
    const callers = Array.from({ length: 8 }, async () => {
      while (!stop.signal.aborted) {
        const n = answered;
        expect(await firstValueFrom(client.send(topic, { value: { n }, partition: n % 4 }))).toEqual({ n });
        answered += 1;
      }
    });
    const second = await echo(topic, groupId);
    const during = answered;
    await until('answers beside the second server', () => answered > during + 50);
    await first.close();
    const after = answered;
    await until('answers of the second server alone', () => answered > after + 50);
    stop.abort();
    await Promise.all(callers);
    expect(client.replyStats()).toMatchObject({ pending: 0, late: 0 });
    await second.close();
  });

  it('waits for no answer for ever: each request has a deadline without being asked to', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const { client } = await apps.client({ requestTimeoutMs: 300 });
    await expect(firstValueFrom(client.send(topic, { never: true }))).rejects.toBeInstanceOf(KrafkaTimeoutError);
    expect(client.replyStats().pending).toBe(0);
  });

  it('waits no longer than its deadline where only event handlers are: they have no answer, but the event', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(payload);
      }
    }
    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client({ requestTimeoutMs: 300 });
    // The first may run out of time while its reply topic is made.
    while (seen.length === 0) {
      await expect(firstValueFrom(client.send(topic, 'tea'))).rejects.toBeInstanceOf(KrafkaTimeoutError);
    }
    expect(new Set(seen)).toEqual(new Set(['tea']));
  });

  it('fails what waits when it is closed, instead of leaving it hanging', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const { app, client } = await apps.client();
    await firstValueFrom(client.send(topic, { n: 1 }));
    const asked = [1, 2, 3].map(() => firstValueFrom(client.send(topic, { never: true })));
    const outcomes = Promise.allSettled(asked);
    await until('the requests to wait', () => client.replyStats().pending === 3);
    await app.close();
    expect((await outcomes).map((one) => one.status === 'rejected' && (one.reason as { code: string }).code)).toEqual([
      'CLOSED',
      'CLOSED',
      'CLOSED',
    ]);
  });
});

/** What tells whether a failure is worth another call fails itself: such an event can't even be given up. */
class Untold extends Error {
  static override [Symbol.hasInstance](): boolean {
    throw new Error('the catalogue of errors is broken');
  }
}

describe('An application', () => {
  it('talks to several clusters (#11298)', async () => {
    const [here, there] = [await cluster.newTopic(), 'there'];
    const other = apps.add(await EmbeddedBroker.start({ topics: { [there]: 1 } }));

    @Module({
      imports: [
        KrafkaModule.forRoot(apps.options()),
        KrafkaModule.forFeature({ name: 'other', brokers: other.bootstrap }),
      ],
    })
    class App {}
    const app = apps.add(await NestFactory.createApplicationContext(App, { logger: false }));
    const client = app.get<KrafkaClient>(getKrafkaClientToken('other'), { strict: false });
    await Promise.all([lastValueFrom(app.get(KrafkaClient).emit(here, 'a')), lastValueFrom(client.emit(there, 'b'))]);
    expect(other.records(there).map(({ value }) => String(value))).toEqual(['b']);
    await expect(app.get(KrafkaClient).admin.describeTopics([there])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
  });

  it('whose consumer dies has it again after a while, with nothing lost (#10950)', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];
    let isBroken = true;

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0, neverRetry: [Untold] })
      placed(@Payload() payload: unknown): void {
        if (isBroken) throw new Error('broken');
        seen.push(payload);
      }
    }
    const app = await apps.service({
      controllers: [Orders],
      options: { onCrash: { backoffMs: 10, maxBackoffMs: 50 } },
    });
    const server = app.get(KrafkaServer);
    const statuses: string[] = [];
    server.status.subscribe((status) => statuses.push(status));
    const told: string[] = [];
    server.on('crashed', ({ restartInMs }) => told.push(restartInMs === undefined ? 'crashed for good' : 'crashed'));
    server.on('restarted', () => told.push('restarted'));
    const { client } = await apps.client();
    await lastValueFrom(client.emit(topic, 'a'));
    await until('the consumer to have died twice', () => statuses.filter((one) => one === 'crashed').length >= 2);
    isBroken = false;
    await lastValueFrom(client.emit(topic, 'b'));
    await until('both events', () => seen.length === 2);
    expect(seen).toEqual(['a', 'b']);
    expect([...server.groups.values()]).toMatchObject([{ state: 'stable', error: undefined }]);
    expect(statuses.at(-1)).toBe('connected');
    expect(told.slice(0, 4)).toEqual(['crashed', 'restarted', 'crashed', 'restarted']);
    expect(told.at(-1)).toBe('restarted');
  });

  it('whose consumer dies again and again is left alone after as many restarts as it was given', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 0, neverRetry: [Untold] })
      placed(): void {
        throw new Error('broken');
      }
    }
    const app = await apps.service({
      controllers: [Orders],
      // One that had run for longer than `maxBackoffMs` would be counted anew.
      options: { onCrash: { restarts: 2, backoffMs: 10, maxBackoffMs: 2_000_000_000 } },
    });
    const server = app.get(KrafkaServer);
    const told: string[] = [];
    server.on('crashed', ({ restartInMs }) => told.push(restartInMs === undefined ? 'crashed for good' : 'crashed'));
    server.on('restarted', () => told.push('restarted'));
    await apps.emit(topic, 'a');
    await until('its end', () => told.includes('crashed for good'));
    expect(told).toEqual(['crashed', 'restarted', 'crashed', 'restarted', 'crashed for good']);
    expect([...server.groups.values()]).toMatchObject([{ state: 'fatal' }]);
  });

  it('serializes asynchronously, and sends and receives bytes as they are (#7657, #3726)', async () => {
    const [bytes, asynchronous] = await Promise.all([cluster.newTopic(), cluster.newTopic()]);
    const seen: unknown[] = [];
    const wrapping: KrafkaSerde = {
      serialize: async (value) => `<${String(value)}>`,
      deserialize: async (raw) => raw.toString().slice(1, -1),
    };

    @Controller()
    class Both {
      @EventPattern(bytes)
      one(@Payload() payload: unknown): void {
        seen.push(payload);
      }

      @MessagePattern(asynchronous)
      two(@Payload() payload: string): string {
        return `${payload}!`;
      }
    }
    const serde = { topics: { [bytes]: rawSerde, [asynchronous]: wrapping } };
    await apps.service({ controllers: [Both], options: { serde } });
    const { client } = await apps.client({ serde });
    const payload = Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0x80]);
    await lastValueFrom(client.emit(bytes, payload));
    expect(await firstValueFrom(client.send(asynchronous, 'abc'))).toBe('abc!');
    await until('the bytes', () => seen.length === 1);
    expect(seen).toEqual([payload]);
  });

  it('stands on no client that was given up: kafkajs is not among what it installs (#13223)', () => {
    const manifest = new URL('../../../../package.json', import.meta.url);
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, object>;
    expect(Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => /kafka/i.test(name))).toEqual([]);
  });
});
