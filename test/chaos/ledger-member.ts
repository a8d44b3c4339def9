// One member of a group that copies a ledger from topic to topic, in a process of its own so that it can be killed and
// frozen. Told by its arguments what to do, by its standard input when to leave.
import { Krafka, type ConsumerOptions } from '../../lib/core/index.js';

/** What a member is told when it is started. */
export interface MemberTask {
  readonly brokers: string;
  readonly groupId: string;
  readonly from: string;
  readonly to: string;
  /** `batches`: in the order of the partition; `keys`: side by side, in the order of each key. */
  readonly by: 'batches' | 'keys';
  readonly options: Partial<ConsumerOptions>;
}

const { brokers, groupId, from, to, by, options } = JSON.parse(process.argv[2] as string) as MemberTask;
const krafka = new Krafka({ brokers, clientId: `member-${groupId}` });
const producer = krafka.producer({ lingerMs: 0 });
const consumer = krafka.consumer({
  groupId,
  topics: [from],
  fromBeginning: true,
  autoCommitIntervalMs: 200,
  ...options,
});

const tell = (word: string, error?: unknown): void => {
  process.stdout.write(
    `${JSON.stringify({ word, error: error instanceof Error ? `${error.name}: ${error.message}` : undefined })}\n`,
  );
};

consumer.events.on('commitFailed', ({ error }) => tell('commit failed', error));
consumer.events.on('lost', () => tell('lost'));

const running =
  by === 'batches'
    ? consumer.run({
        maxRecords: 200,
        eachBatch: async ({ records }) => {
          const copies = records.map(({ partition, key, value }) => ({ topic: to, partition, key, value }));
          await producer.sendAll(copies);
        },
      })
    : consumer.run({
        concurrency: { by: 'key', limit: 64 },
        eachRecord: async ({ partition, key, value }) => {
          await producer.send({ topic: to, partition, key, value });
        },
      });

running.catch((error: unknown) => {
  tell('failed', error);
  process.exit(1);
});
process.stdin.once('data', () => {
  krafka.close().then(
    () => process.exit(0),
    (error: unknown) => {
      tell('did not close in good order', error);
      process.exit(2);
    },
  );
});
// Whoever started it is gone.
process.stdin.once('end', () => process.exit(3));
consumer.start().then(
  () => tell('started'),
  () => undefined, // It ends the run, which tells.
);
