// One member of a group that copies a ledger from topic to topic, in a process of its own so that it can be killed and
// frozen. Told by its arguments what to do, by its standard input when to leave.
import { Krafka, nack, type BatchHandler, type ConsumerOptions, type ConsumerRecord } from '../../lib/core/index.js';

/** What a member is told when it is started. */
export interface MemberTask {
  readonly brokers: string;
  readonly groupId: string;
  readonly from: string;
  readonly to: string;
  /**
   * `batches`: in the order of the partition; `keys`: side by side, in the order of each key; `transactions`: batches,
   * each with its offsets in one transaction.
   */
  readonly by: 'batches' | 'keys' | 'transactions';
  readonly options: Partial<ConsumerOptions>;
}

const { brokers, groupId, from, to, by, options } = JSON.parse(process.argv[2] as string) as MemberTask;
const krafka = new Krafka({
  brokers,
  clientId: `member-${groupId}`,
  // What a killed member leaves open keeps the others waiting for so long.
  transactions: { producer: { transactionTimeoutMs: 3_000 } },
});
const producer = krafka.producer({ lingerMs: 0 });
const consumer = krafka.consumer({
  groupId,
  topics: [from],
  fromBeginning: true,
  ...(by === 'transactions'
    ? { autoCommit: false, isolationLevel: 'read_committed' as const }
    : { autoCommitIntervalMs: 200 }),
  ...options,
});

const tell = (word: string, error?: unknown): void => {
  process.stdout.write(
    `${JSON.stringify({ word, error: error instanceof Error ? `${error.name}: ${error.message}` : undefined })}\n`,
  );
};

consumer.events.on('commitFailed', ({ error }) => tell('commit failed', error));
consumer.events.on('lost', () => tell('lost'));

/** Copies and commits in one; what could not be comes again, unless it is somebody else's then. */
const exactlyOnce: BatchHandler = async ({ topic, partition, records }) => {
  const group = consumer.groupMetadata();
  const { offset } = records.at(-1) as ConsumerRecord;
  try {
    await krafka.transaction(async (tx) => {
      await tx.sendAll(records.map(({ key, value }) => ({ topic: to, partition, key, value })));
      await tx.sendOffsets([{ topic, partition, offset: offset + 1 }], group);
    });
    return undefined;
  } catch {
    return nack(100);
  }
};

const running =
  by === 'transactions'
    ? consumer.run({ maxRecords: 200, eachBatch: exactlyOnce })
    : by === 'batches'
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
