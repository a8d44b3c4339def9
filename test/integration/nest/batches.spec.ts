import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  BatchPattern,
  CommitMode,
  Concurrency,
  ConsumerGroup,
  EventPattern,
  KrafkaBatchContext,
  KrafkaDeadLetters,
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

describe('A batch handler', () => {
  it('gets the payloads of one partition in order, as many as it asked for at most', async () => {
    const topic = await cluster.newTopic();
    const batches: { readonly numbers: readonly string[]; readonly keys: unknown; readonly topic: string }[] = [];
    await apps.emit(topic, ...Array.from({ length: 25 }, (_, n) => ({ key: `k${n}`, value: n })));

    @Controller()
    class Audit {
      @BatchPattern(topic, { maxRecords: 10 })
      audit(
        @Payload() numbers: readonly string[],
        @RecordKey() keys: unknown,
        @Ctx() context: KrafkaBatchContext,
      ): void {
        batches.push({ numbers, keys, topic: context.getTopic() });
        expect(context.getMessages().map(({ value }) => value)).toEqual(numbers);
      }
    }
    await apps.service({ controllers: [Audit] });
    await until('all of them', () => batches.reduce((sum, { numbers }) => sum + numbers.length, 0) === 25);
    expect(batches.flatMap(({ numbers }) => numbers)).toEqual(Array.from({ length: 25 }, (_, n) => String(n)));
    expect(batches.map(({ numbers }) => numbers.length)).toEqual([10, 10, 5]);
    expect(batches[0]).toMatchObject({ topic, keys: Array.from({ length: 10 }, (_, n) => `k${n}`) });
  });

  it('waits for more, where it says so, until its batch is full', async () => {
    const topic = await cluster.newTopic();
    const batches: (readonly string[])[] = [];

    @Controller()
    class Audit {
      @BatchPattern(topic, { maxRecords: 3, maxWaitMs: 600_000 })
      audit(@Payload() names: readonly string[]): void {
        batches.push(names);
      }
    }
    await apps.service({ controllers: [Audit] });
    for (const name of ['a', 'b', 'c']) await apps.emit(topic, name);
    await until('the batch', () => batches.length === 1);
    expect(batches).toEqual([['a', 'b', 'c']]);
  });

  it('that fails gives up only those records that it can not do, and loses none of their neighbours', async () => {
    const topic = await cluster.newTopic();
    const done: string[] = [];

    @Controller()
    class Audit {
      @BatchPattern(topic, { maxRecords: 10 })
      @OnFailure({ retries: 1, backoffMs: 1 })
      audit(@Payload() numbers: readonly string[]): void {
        if (numbers.includes('3')) throw new Error('not three');
        done.push(...numbers);
      }
    }
    await apps.emit(topic, 0, 1, 2, 3, 4, 5);
    const app = await apps.service({ controllers: [Audit] });
    await apps.emit(topic, 6);
    await until('the neighbours', () => done.includes('6'));
    expect(done).toEqual(['0', '1', '2', '4', '5', '6']);
    expect(app.get(KrafkaServer).deliveryCounts()).toMatchObject({ retries: 1, deadLetters: 1 });
  });

  it('that is told apart by the record leaves the others among the dead letters, where the module says so', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Audit {
      @BatchPattern(topic, { when: { header: 'type', is: 'x' } })
      audit(@Payload() names: readonly string[]): void {
        seen.push(...names);
      }
    }
    await apps.emit(topic, { value: 'a', headers: { type: 'x' } }, { value: 'b', headers: { type: 'y' } });
    const app = await apps.service({ controllers: [Audit], options: { unmatched: 'dead-letter' } });
    await until('the dead letter', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 1);
    expect(seen).toEqual(['a']);
    const { letters } = await app.get(KrafkaDeadLetters).list(topic);
    expect(letters).toMatchObject([{ original: { topic, offset: 1 }, payload: 'b' }]);
  });

  it('commits by itself how far it came, where it says so', async () => {
    const topic = await cluster.newTopic();
    const options = { consumer: { groupId: cluster.name('group') } };
    const seen: string[] = [];

    @Controller()
    class Audit {
      @BatchPattern(topic)
      @CommitMode('manual')
      async audit(@Payload() numbers: readonly string[], @Ctx() context: KrafkaBatchContext): Promise<void> {
        seen.push(...numbers);
        await context.commit(context.records[0]);
      }
    }
    await apps.emit(topic, 'a', 'b');
    const app = await apps.service({ controllers: [Audit], options });
    await until('both', () => seen.length === 2);
    await app.close();
    await apps.service({ controllers: [Audit], options });
    await until('the one that was left', () => seen.length === 3);
    expect(seen).toEqual(['a', 'b', 'b']);
  });

  it('that commits by itself has again what it had not committed when one of its records was given up', async () => {
    const topic = await cluster.newTopic();
    const groupId = cluster.name('group');

    @Controller()
    class Audit {
      @BatchPattern(topic)
      @CommitMode('manual')
      @OnFailure({ retries: 0 })
      audit(@Payload() names: readonly string[]): void {
        if (names.includes('bad')) throw new Error('no');
      }
    }
    await apps.emit(topic, 'bad', 'a', 'bad');
    const app = await apps.service({ controllers: [Audit], options: { consumer: { groupId } } });
    await until('both', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 2);
    await app.close();
    expect(await cluster.krafka().admin().listGroupOffsets(groupId)).toMatchObject([{ topic, offset: 1 }]);
  });

  it('stands beside handlers of single records in a group of its own only', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Both {
      @BatchPattern(topic)
      audit(): void {}

      @EventPattern(topic)
      placed(): void {}
    }
    await expect(apps.service({ controllers: [Both] })).rejects.toThrow(
      /has a batch handler, Both\.audit, and one for single records, Both\.placed/,
    );

    const seen: unknown[] = [];

    @Controller()
    class Apart {
      @BatchPattern(topic)
      @ConsumerGroup(cluster.name('audit'))
      audit(@Payload() all: unknown): void {
        seen.push(all);
      }

      @EventPattern(topic)
      placed(@Payload() one: unknown): void {
        seen.push(one);
      }
    }
    await apps.service({ controllers: [Apart] });
    await apps.emit(topic, 'a');
    await until('both', () => seen.length === 2);
    expect(seen).toContainEqual(['a']);
    expect(seen).toContain('a');
  });
});

describe('Concurrency', () => {
  it('by key lets other keys of a partition go on while one is at work, and keeps the order within each', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));

    @Controller()
    class Orders {
      @EventPattern(topic)
      @Concurrency({ by: 'key', limit: 4 })
      async placed(@Payload() name: string, @RecordKey() key: string): Promise<void> {
        if (name === 'slow') await gate;
        seen.push(`${key} ${name}`);
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(
      topic,
      { key: 'a', value: 'slow' },
      { key: 'a', value: 'behind' },
      { key: 'b', value: 'one' },
      { key: 'b', value: 'two' },
    );
    await until('the other key', () => seen.length === 2);
    expect(seen).toEqual(['b one', 'b two']);
    release();
    await until('the slow key', () => seen.length === 4);
    expect(seen.slice(2)).toEqual(['a slow', 'a behind']);
  });

  it('holds up a key that is tried again, and no other', async () => {
    const topic = await cluster.newTopic();
    const seen: string[] = [];
    let mend = false;

    @Controller()
    @Concurrency({ by: 'key' })
    class Orders {
      @EventPattern(topic)
      @OnFailure({ retries: 1_000, backoffMs: 1, maxBackoffMs: 5 })
      placed(@Payload() name: string): void {
        if (name === 'bad' && !mend) throw new Error('not yet');
        seen.push(name);
      }
    }
    await apps.service({ controllers: [Orders] });
    await apps.emit(topic, { key: 'a', value: 'bad' }, { key: 'a', value: 'behind' }, { key: 'b', value: 'other' });
    await until('the other key', () => seen.length === 1);
    mend = true;
    await until('the key that waited', () => seen.length === 3);
    expect(seen).toEqual(['other', 'bad', 'behind']);
  });

  it('of the module holds where no handler says otherwise, and its limit is kept', async () => {
    const topic = await cluster.newTopic();
    let now = 0;
    let most = 0;
    let done = 0;

    @Controller()
    class Orders {
      @EventPattern(topic)
      async placed(): Promise<void> {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
        done += 1;
      }
    }
    await apps.service({ controllers: [Orders], options: { concurrency: { by: 'none', limit: 3 } } });
    await apps.emit(topic, ...Array.from({ length: 30 }, (_, n) => n));
    await until('all of them', () => done === 30);
    expect(most).toBe(3);
  });

  it.each(['batches', 'handlers that commit by themselves'])(
    'of the module limits %s, too, which are handled one after the other within a partition',
    async (kind) => {
      const topic = await cluster.newTopic(4);
      let now = 0;
      let most = 0;
      let done = 0;
      const work = async (): Promise<void> => {
        most = Math.max(most, ++now);
        // Long enough for those of other partitions to come, were they let.
        await new Promise((resolve) => setTimeout(resolve, 50));
        now -= 1;
        done += 1;
      };

      @Controller()
      class Batches {
        @BatchPattern(topic, { maxRecords: 1 })
        audit(): Promise<void> {
          return work();
        }
      }

      @Controller()
      class Committing {
        @EventPattern(topic)
        @CommitMode('manual')
        placed(): Promise<void> {
          return work();
        }
      }
      await apps.emit(topic, ...[0, 1, 2, 3].map((partition) => ({ value: 'order', partition })));
      const controllers = [kind === 'batches' ? Batches : Committing];
      await apps.service({ controllers, options: { concurrency: { by: 'key', limit: 1 } } });
      await until('all of them', () => done === 4);
      expect(most).toBe(1);
    },
  );

  it('by key is refused where handlers commit by themselves, and for batches', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Orders {
      @EventPattern(topic)
      @CommitMode('manual')
      @Concurrency({ by: 'key' })
      placed(): void {}
    }
    await expect(apps.service({ controllers: [Orders] })).rejects.toThrow(
      `Option 'pattern ${topic}.concurrency.by' can't be 'key' with commitMode 'manual'`,
    );

    @Controller()
    class Audit {
      @BatchPattern(topic)
      @Concurrency({ by: 'none' })
      audit(): void {}
    }
    await expect(apps.service({ controllers: [Audit] })).rejects.toThrow("can't be 'none' for batches");
  });
});
