import type { ConsumerOptions } from '../../core/consumer/index.js';
import { KrafkaError, silentLogger } from '../../core/support/index.js';
import type { SharedKrafka } from '../shared-krafka.js';
import { turns } from '../spec-support/hand-clock.js';
import { HandConsumer } from '../spec-support/hand-consumer.js';
import { aRecord } from '../spec-support/records.js';
import type { TopicDeclaration } from '../topics.js';
import { ReplyInbox } from './reply-inbox.js';

function setUp(partitions: (topic: string) => number = () => 4) {
  const consumers: HandConsumer[] = [];
  const ensured: unknown[][] = [];
  const replies: string[] = [];
  const crashes: string[] = [];
  const shared = {
    ports: { random: { next: () => 0.6 }, logger: silentLogger },
    topics: {
      ensure: async (declaration: TopicDeclaration, ...more: unknown[]) => {
        ensured.push([declaration, ...more]);
        return partitions(declaration.name);
      },
    },
    consumer: (options: ConsumerOptions) => {
      const consumer = new HandConsumer(options);
      consumers.push(consumer);
      return consumer.consumer;
    },
  } as unknown as SharedKrafka;
  const inbox = new ReplyInbox(
    shared,
    { create: true, partitions: 6 },
    { onReply: (record) => void replies.push(record.topic), onCrash: (error) => void crashes.push(error.message) },
  );
  return { inbox, consumers, ensured, replies, crashes };
}

describe('A reply inbox', () => {
  it('reads one partition of a reply topic from its end, without a group', async () => {
    const { inbox, consumers, ensured, replies } = setUp();
    expect(inbox.partitionOf('price.reply')).toBeUndefined();
    expect(await inbox.open('price.reply', 'price')).toBe(2);
    expect(inbox.partitionOf('price.reply')).toBe(2);
    expect(ensured).toEqual([[{ name: 'price.reply', partitions: 6 }, true, ['price']]]);
    expect(consumers.map(({ options }) => options)).toEqual([
      { assignments: [{ topic: 'price.reply', partition: 2, offset: 'latest' }] },
    ]);
    void consumers[0]?.hand(aRecord({ topic: 'price.reply' }));
    expect(replies).toEqual(['price.reply']);
  });

  it('is opened once for all who ask at the same time', async () => {
    const { inbox, consumers } = setUp();
    await Promise.all([inbox.open('price.reply', 'price'), inbox.open('price.reply', 'price')]);
    expect(consumers).toHaveLength(1);
  });

  it('adds further reply topics to the same consumer, one after the other, and stays where it is in the others', async () => {
    const { inbox, consumers } = setUp();
    await Promise.all([inbox.open('a.reply', 'a'), inbox.open('b.reply', 'b'), inbox.open('c.reply', 'c')]);
    expect(consumers).toHaveLength(1);
    expect(consumers[0]?.assigned).toEqual([
      [
        { topic: 'a.reply', partition: 2 },
        { topic: 'b.reply', partition: 2, offset: 'latest' },
      ],
      [
        { topic: 'a.reply', partition: 2 },
        { topic: 'b.reply', partition: 2 },
        { topic: 'c.reply', partition: 2, offset: 'latest' },
      ],
    ]);
    expect(consumers[0]?.sought).toEqual(['b.reply latest', 'c.reply latest']);
  });

  it('is opened anew after a failure, which those who asked are told', async () => {
    let failing = true;
    const { inbox } = setUp(() => {
      if (failing) throw new KrafkaError('no', { code: 'TOPIC_AUTHORIZATION_FAILED' });
      return 1;
    });
    await expect(inbox.open('a.reply', 'a')).rejects.toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' });
    failing = false;
    expect(await inbox.open('a.reply', 'a')).toBe(0);
  });

  it.each(['can', 'can not'])(
    'keeps nothing of a partition whose position was not found, whether it %s be given up',
    async (outcome) => {
      const { inbox, consumers } = setUp(() => 1);
      await inbox.open('a.reply', 'a');
      const [consumer] = consumers as [HandConsumer];
      const seek = consumer.seek.bind(consumer);
      const assign = consumer.assign.bind(consumer);
      consumer.seek = async () => {
        if (outcome === 'can not') consumer.assign = () => Promise.reject(new Error('not now'));
        throw new KrafkaError('no leader', { code: 'LEADER_NOT_AVAILABLE' });
      };
      await expect(inbox.open('b.reply', 'b')).rejects.toMatchObject({ code: 'LEADER_NOT_AVAILABLE' });
      expect(inbox.partitionOf('b.reply')).toBeUndefined();
      Object.assign(consumer, { seek, assign });
      expect(await inbox.open('b.reply', 'b')).toBe(0);
      const [a, b] = [
        { topic: 'a.reply', partition: 0 },
        { topic: 'b.reply', partition: 0 },
      ];
      const asked = [a, { ...b, offset: 'latest' }];
      expect(consumer.assigned).toEqual(outcome === 'can' ? [asked, [a], asked] : [asked, asked]);
      expect(inbox.partitionOf('b.reply')).toBe(0);
    },
  );

  it('tells when it can not be read any more', async () => {
    const { inbox, consumers, crashes } = setUp();
    await inbox.open('a.reply', 'a');
    consumers[0]?.crash(new Error('corrupt'));
    await turns();
    expect(crashes).toEqual(['corrupt']);
  });

  it('is empty once it is closed', async () => {
    const { inbox, consumers } = setUp();
    await inbox.open('a.reply', 'a');
    await inbox.close();
    expect(consumers[0]?.closes).toBe(1);
    expect(inbox.partitionOf('a.reply')).toBeUndefined();
  });
});
