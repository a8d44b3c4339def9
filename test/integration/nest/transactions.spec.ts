import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  Concurrency,
  EventPattern,
  fromConfig,
  KrafkaClient,
  KrafkaContext,
  KrafkaRecordBuilder,
} from '../../../lib/index.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => void (cluster = await openTestCluster()));
beforeEach(() => void (apps = new NestApps(cluster)));
afterEach(() => apps.close());
afterAll(() => cluster.close());

/** Everything that is committed on a topic, read by a service of its own. */
async function committedOn(topic: string): Promise<{ readonly seen: unknown[] }> {
  const seen: unknown[] = [];

  @Controller()
  class Reader {
    @EventPattern(topic)
    read(@Payload() payload: unknown): void {
      seen.push(payload);
    }
  }
  const groupId = cluster.name('reader');
  await apps.service({
    controllers: [Reader],
    options: { consumer: { groupId, isolationLevel: 'read_committed', fromBeginning: true } },
  });
  return { seen };
}

describe('A transaction of a client', () => {
  it('is seen as a whole: events, messages and records by the rules of payloads', async () => {
    const topic = await cluster.newTopic();
    const { client } = await apps.client({ topicNames: { 'the.topic': topic } });
    const answer = await client.transaction(async (tx) => {
      await tx.send({ topic, key: 'k', value: { id: 1 } });
      void tx.emit(topic, { id: 2 });
      void tx.emit(fromConfig('the.topic'), new KrafkaRecordBuilder({ id: 3 }).setHeaders({ h: 'x' }).build());
      void tx.sendAll([
        { topic, value: 'four' },
        { topic, value: [5] },
      ]);
      return 'done';
    });
    expect(answer).toBe('done');
    const { seen } = await committedOn(topic);
    await until('all of it', () => seen.length === 5);
    expect(seen).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }, 'four', [5]]);
  });

  it('is seen not at all when something in it fails, though nobody awaited that', async () => {
    const topic = await cluster.newTopic();
    const { client } = await apps.client();
    const failing = client.transaction(async (tx) => {
      await tx.send({ topic, value: 'never' });
      void tx.emit(topic, Symbol('no form as bytes'));
    });
    await expect(failing).rejects.toMatchObject({ code: 'SERIALIZATION' });
    const thrown = client.transaction(async (tx) => {
      await tx.send({ topic, value: 'never' });
      throw new Error('changed my mind');
    });
    await expect(thrown).rejects.toThrow('changed my mind');
    await client.transaction((tx) => void tx.emit(topic, 'seen'));
    const { seen } = await committedOn(topic);
    await until('the one that was committed', () => seen.length > 0);
    expect(seen).toEqual(['seen']);
  });

  it('holds what a handler sends and the offset of what it was called with: both happen or neither', async () => {
    const [orders, invoices] = await Promise.all([cluster.newTopic(), cluster.newTopic()]);
    const groupId = cluster.name('billing');
    const own: { client?: KrafkaClient } = {};
    let refusals = 1;
    let attempts = 0;

    @Controller()
    class Billing {
      @EventPattern(orders)
      async placed(@Payload() { id }: { readonly id: number }, @Ctx() context: KrafkaContext): Promise<void> {
        attempts += 1;
        await own.client!.transaction(async (tx) => {
          await tx.send({ topic: invoices, value: { invoice: id } });
          await tx.sendOffsets(context);
          if (id === 2 && refusals-- > 0) throw new Error('not yet');
        });
      }
    }
    const app = await apps.service({
      controllers: [Billing],
      options: { consumer: { groupId, autoCommitIntervalMs: 600_000 }, onFailure: { retries: 3, backoffMs: 1 } },
    });
    const client = app.get(KrafkaClient);
    own.client = client;
    for (const id of [1, 2, 3]) await lastValueFrom(client.emit(orders, { id }));
    const { seen } = await committedOn(invoices);
    await until('all invoices', () => seen.length === 3);
    expect({ seen, attempts }).toEqual({ seen: [{ invoice: 1 }, { invoice: 2 }, { invoice: 3 }], attempts: 4 });
    // The transaction itself has committed them, long before the consumer would; the records may be seen a moment earlier.
    const [offset] = await client.admin.listGroupOffsets(groupId, { requireStable: true });
    expect(offset).toMatchObject({ topic: orders, offset: 3 });
  });

  it('does not commit the offset of a record where others of its partition may not be done', async () => {
    const [byKey, shared] = await Promise.all([cluster.newTopic(), cluster.newTopic()]);
    const { client } = await apps.client();
    const outcomes: unknown[] = [];
    const attempt = (context: KrafkaContext): Promise<unknown> =>
      client
        .transaction((tx) => tx.sendOffsets(context))
        .catch((error: unknown) => outcomes.push((error as { code: string }).code));

    @Controller()
    class Billing {
      @EventPattern(byKey)
      @Concurrency({ by: 'key', limit: 4 })
      async one(@Ctx() context: KrafkaContext): Promise<void> {
        await attempt(context);
      }

      @EventPattern(shared)
      async two(@Ctx() context: KrafkaContext): Promise<void> {
        await attempt(context);
      }

      @EventPattern(shared)
      three(): void {}
    }
    await apps.service({ controllers: [Billing] });
    await lastValueFrom(client.emit(byKey, { key: 'a', value: 1 }));
    await lastValueFrom(client.emit(shared, 1));
    await until('both outcomes', () => outcomes.length === 2);
    expect(outcomes).toEqual(['OFFSETS_NOT_IN_ORDER', 'OFFSETS_NOT_IN_ORDER']);
  });
});
