import type { ConsumerRecord } from '../../protocol/index.js';
import type { BatchHandler, Handling, RecordBatch, RecordHandler, RunOptions, Verdict } from '../handlers.js';
import type { DecodedRecord } from './decoded-record.js';
import type { RecordDecoder } from './record-decoder.js';
import { Undecodable } from './undecodable.js';

/** Handlers of decoded records as handlers of records as they come. Everything else about the run stays as it is. */
export function decodedRun(options: RunOptions<DecodedRecord>, decoder: RecordDecoder): RunOptions {
  const { byTopic } = options;
  if (typeof byTopic !== 'function') return decodedHandling(options, decoder);
  return { ...options, byTopic: (topic) => decodedHandling(byTopic(topic), decoder) };
}

function decodedHandling(handling: Handling<DecodedRecord>, decoder: RecordDecoder): Handling {
  const { eachRecord, eachBatch } = handling as { eachRecord?: unknown; eachBatch?: unknown };
  return {
    ...handling,
    // What is no function is refused by the check that follows, by its name.
    ...(typeof eachRecord === 'function' && {
      eachRecord: decodedRecordHandler(eachRecord as RecordHandler<DecodedRecord>, decoder),
    }),
    ...(typeof eachBatch === 'function' && {
      eachBatch: decodedBatchHandler(eachBatch as BatchHandler<DecodedRecord>, decoder),
    }),
  } as Handling;
}

const decodedRecordHandler =
  (handler: RecordHandler<DecodedRecord>, decoder: RecordDecoder): RecordHandler =>
  (record, context) => {
    const decoded = decoder.decode(record);
    if (decoded === undefined) return undefined;
    if (!(decoded instanceof Promise)) return handler(decoded, context);
    return decoded.then((later) => (later === undefined ? undefined : handler(later, context)));
  };

/** Decodes in order up to the first record that fails the partition: what is before it is handled, and only then it fails. */
const decodedBatchHandler =
  (handler: BatchHandler<DecodedRecord>, decoder: RecordDecoder): BatchHandler =>
  async (batch): Promise<Verdict> => {
    const records: DecodedRecord[] = [];
    let last: ConsumerRecord | undefined;
    let failure: unknown;
    for (const record of batch.records) {
      try {
        const decoded = decoder.decode(record);
        const ready = decoded instanceof Promise ? await decoded : decoded;
        if (ready !== undefined) records.push(ready);
        last = record;
      } catch (error) {
        if (!(error instanceof Undecodable)) throw error;
        failure = error;
        break;
      }
    }
    const verdict = records.length > 0 ? await handler(withRecords(batch, records)) : undefined;
    if (failure === undefined || verdict !== undefined) return verdict;
    if (last !== undefined) batch.resolve(last.offset);
    throw failure;
  };

const withRecords = (
  { topic, partition, signal, resolve, commit }: RecordBatch,
  records: readonly DecodedRecord[],
): RecordBatch<DecodedRecord> => ({ topic, partition, records, signal, resolve, commit });
