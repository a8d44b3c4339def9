import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  codecOf,
  controlBatch,
  COMPRESSION_NAMES,
  RecordBatchBuilder,
  rewriteBaseOffset,
  type BatchStamp,
  type CompressionName,
  type HeaderValue,
} from '../../lib/core/protocol/index.js';
import { jars, run } from '../support/java-tools.js';

/** What RecordVectors.java prints of a batch it has read and checked. */
interface SeenBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly compression: CompressionName;
  readonly isControl: boolean;
  readonly isTransactional: boolean;
  readonly producerId: number;
  readonly timestampType: string;
  readonly records: readonly {
    readonly offset: number;
    readonly timestamp: number;
    readonly key: string | null;
    readonly value: string | null;
    readonly headers: readonly [string, string | null][];
  }[];
}

interface Given {
  readonly timestamp: number;
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>;
}

const program = new URL('../../scripts/protocol/RecordVectors.java', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'krafka-records-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Has the Java client read batches; one that it finds wrong ends the program. */
async function readByJava(batches: readonly Buffer[]): Promise<readonly SeenBatch[]> {
  if (jars === undefined) throw new Error('KAFKA_JARS is not set: run this through `npm run test:kafka`');
  const old = process.env['KAFKA_VERSION']?.startsWith('3.') === true;
  const source = readFileSync(program, 'utf8');
  const file = join(folder, 'RecordVectors.java');
  writeFileSync(file, old ? source.replaceAll('common.record.internal.', 'common.record.') : source);
  const lines = batches.map((batch) => `${batch.toString('base64')}\n`).join('');
  return JSON.parse(await run('java', ['-cp', `${jars}/*`, file, 'read'], lines)) as SeenBatch[];
}

const base64 = (content: string | Buffer | null): string | null =>
  content === null ? null : Buffer.from(content as string).toString('base64');

const several: readonly Given[] = [
  { timestamp: 1_750_000_000_000, key: 'order-1', value: '{"price":12.50}', headers: {} },
  {
    timestamp: 1_750_000_000_001,
    key: null,
    value: 'x'.repeat(70_000),
    headers: { trace: ['a', null, 'c'], größe: '✓' },
  },
  { timestamp: 0, key: 'deleted', value: null, headers: { '': Buffer.alloc(0) } },
  { timestamp: 4_102_444_800_000, key: Buffer.from([0, 255, 128]), value: Buffer.alloc(5_000, 'abc'), headers: {} },
  { timestamp: 2 ** 53 - 1, key: 'schlüssel-😀', value: '', headers: {} },
];
const many = Array.from({ length: 3_000 }, (_, index): Given => {
  const value = `value ${(index * index) % 9_973} `.repeat(index % 30);
  return { timestamp: 1_750_000_000_000 - index * 86_400_000, key: `key-${index}`, value, headers: {} };
});
const records = [...several, ...many];

const expected = records.map(({ timestamp, key, value, headers }, offset) => ({
  offset,
  timestamp,
  key: base64(key),
  value: base64(value),
  headers: Object.entries(headers).flatMap(([name, all]) => [all].flat().map((one) => [name, base64(one)])),
}));

async function batchOf(name: CompressionName, stamp: BatchStamp): Promise<Buffer> {
  const builder = new RecordBatchBuilder({ maxBytes: 1 << 24 });
  for (const { timestamp, key, value, headers } of records) builder.append(timestamp, key, value, headers);
  await builder.compress(codecOf(name));
  return Buffer.concat(builder.seal(stamp));
}

describe('record batches written here', () => {
  it('are read by the Java client to the same records, in every codec', async () => {
    const stamp = { producerId: 7_000, producerEpoch: 3, baseSequence: 41, transactional: true };
    const seen = await readByJava(await Promise.all(COMPRESSION_NAMES.map((name) => batchOf(name, stamp))));
    expect(seen.map(({ compression }) => compression)).toEqual(COMPRESSION_NAMES);
    for (const batch of seen) {
      expect(batch).toMatchObject({ producerId: 7_000, isTransactional: true, isControl: false });
      expect(batch.records).toEqual(expected);
    }
  }, 60_000);

  it('are read by the Java client as a broker here keeps them', async () => {
    const stamp = { producerId: -1, producerEpoch: -1, baseSequence: -1, transactional: false };
    const batch = await batchOf('zstd', stamp);
    const marker = { producerId: 7_000, producerEpoch: 3, coordinatorEpoch: 15, timestamp: 5, baseOffset: 9 };
    const [kept, stamped, commit] = await readByJava([
      rewriteBaseOffset(batch, 2 ** 40, 5),
      rewriteBaseOffset(batch, 500, 5, 1_800_000_000_000),
      controlBatch('commit', marker),
    ]);
    expect(kept).toMatchObject({ baseOffset: 2 ** 40, lastOffset: 2 ** 40 + records.length - 1 });
    expect(stamped?.timestampType).toBe('LogAppendTime');
    expect(new Set(stamped?.records.map(({ timestamp }) => timestamp))).toEqual(new Set([1_800_000_000_000]));
    expect(commit).toMatchObject({ baseOffset: 9, isControl: true, isTransactional: true });
  }, 60_000);
});
