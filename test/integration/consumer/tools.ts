import type { Consumer, ConsumerRecord, Krafka, RecordMetadata } from '../../../lib/core/index.js';

/** Sends values `<word>-0 ...` to one partition, or by key over all of them. */
export async function produce(
  krafka: Krafka,
  topic: string,
  count: number,
  options: { partition?: number; word?: string; from?: number; compression?: 'gzip' | 'snappy' | 'lz4' | 'zstd' } = {},
): Promise<RecordMetadata[]> {
  const { partition, word = 'v', from = 0, compression } = options;
  const producer = krafka.producer({ lingerMs: 0, ...(compression && { compression }) });
  const records = Array.from({ length: count }, (_, index) => ({
    topic,
    ...(partition === undefined ? { key: `k${from + index}` } : { partition }),
    value: `${word}-${from + index}`,
  }));
  const sent = await Promise.all(records.map((record) => producer.send(record)));
  await producer.close();
  return sent;
}

/** The next so many records of a consumer, and the loop is left. */
export async function take(consumer: Consumer, count: number): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = [];
  for await (const record of consumer) {
    records.push(record);
    if (records.length === count) break;
  }
  return records;
}

/** Waits until something holds; the test's own timeout is the bound. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

class Gate {
  resolve!: () => void;
  readonly promise = new Promise<void>((resolve) => {
    this.resolve = resolve;
  });
}

/** A promise and its end. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = new Gate();
  return { opened: promise, open: resolve };
}

export const values = (records: Iterable<ConsumerRecord>): (string | null)[] =>
  Array.from(records, ({ valueText }) => valueText);

/** The values in an order of their own, to compare what came in any order. */
export const inOrder = (records: Iterable<ConsumerRecord>): string[] =>
  (values(records) as string[]).toSorted((a, b) => Number(a.split('-')[1]) - Number(b.split('-')[1]));

/** `word-0 ... word-(count - 1)`. */
export const expected = (count: number, word = 'v'): string[] =>
  Array.from({ length: count }, (_, index) => `${word}-${index}`);
