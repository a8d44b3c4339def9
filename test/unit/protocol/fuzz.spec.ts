import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  APIS,
  NO_STAMP,
  Reader,
  RecordBatchBuilder,
  batchesIn,
  codecs,
  controlBatch,
  decodeBatch,
  decodeRequestHeader,
  readControlRecord,
  type Api,
} from '../../../lib/core/protocol/index.js';
import { KrafkaError, seededRandom, type Random } from '../../../lib/core/support/index.js';
import { mutated } from './mutations.js';
import { tableCodec, wireVectorsOf, type Side } from './wire-vectors.js';

// Every decoder is given broken bytes for ten seconds in all. What may come out is a value or a KrafkaError: no other
// error, no endless loop (steps are counted), and nothing larger than the bytes given could have said.
//   KRAFKA_FUZZ_SEED=<the seed printed>  repeats a run      KRAFKA_FUZZ_MS=<ms>  makes it longer
const seed = Number(process.env['KRAFKA_FUZZ_SEED'] ?? randomInt(2 ** 31));
const budgetMs = Number(process.env['KRAFKA_FUZZ_MS'] ?? 10_000);

/** A decoder under attack: what it reads normally, and how it is asked. */
interface Target {
  readonly name: string;
  readonly originals: readonly Buffer[];
  decode(bytes: Buffer): unknown;
}

class Endless extends Error {}

/** A reader that ends a decoder which goes on without using bytes up. */
class CountedReader extends Reader {
  #steps = 0;

  override take(bytes: number): number {
    this.#steps += 1;
    if (this.#steps > 1_000 + 64 * this.buffer.length) throw new Endless();
    return super.take(bytes);
  }
}

function messageTargets(api: Api): Target[] {
  const vectors = wireVectorsOf(api);
  const targets: Target[] = [];
  for (const side of ['request', 'response'] as Side[]) {
    const byTable = tableCodec(api, side);
    for (let { from: version } = api.versions; version <= api.versions.to; version++) {
      const decodes = (codec: Api['request']) => (bytes: Buffer) => codec.decode(new CountedReader(bytes), version);
      targets.push({
        name: `${api.name} ${side} ${version}`,
        originals: vectors.filter((one) => one.side === side && one.version === version).map(({ bytes }) => bytes),
        decode: (bytes) => same(bytes, decodes(api[side]), decodes(byTable)),
      });
    }
  }
  return targets;
}

/** Two decoders of the same bytes must agree: the hand-written ones with those of the tables. */
function same(bytes: Buffer, decode: (bytes: Buffer) => unknown, reference: (bytes: Buffer) => unknown): unknown {
  const [one, other] = [outcomeOf(() => decode(bytes)), outcomeOf(() => reference(bytes))];
  const agree =
    'error' in one && 'error' in other ? one.error.code === other.error.code : isDeepStrictEqual(one, other);
  if (!agree) throw new Error('the codec and its table read different things');
  if ('error' in one) throw deliberate(one.error);
  return one.value;
}

/** A codec names the field of any error: beneath it there must be one that was meant, not a TypeError. */
function deliberate(error: KrafkaError): KrafkaError {
  let root: unknown = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  if (!(root instanceof KrafkaError)) throw new Error('a decoder stumbled', { cause: root });
  return error;
}

type Outcome = { readonly value: unknown } | { readonly error: KrafkaError };

function outcomeOf(run: () => unknown): Outcome {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof KrafkaError) return { error };
    throw error;
  }
}

async function recordTargets(): Promise<Target[]> {
  const batches: Buffer[] = [];
  for (const name of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const builder = new RecordBatchBuilder({ maxBytes: 100_000 });
    for (let index = 0; index < 20; index++) {
      const headers = index % 3 === 0 ? { trace: `${index}`, none: null, twice: ['a', Buffer.from('b')] } : undefined;
      builder.append(
        1_700_000_000_000 + index * index,
        index % 4 === 0 ? null : `key-${index}`,
        index % 5 === 0 ? null : 'value '.repeat(index),
        headers,
      );
    }
    builder.close();
    await builder.compress(codecs.of(name));
    batches.push(Buffer.concat(builder.seal(NO_STAMP)));
  }
  const commit = controlBatch('commit', {
    producerId: 7,
    producerEpoch: 1,
    coordinatorEpoch: 3,
    timestamp: 1_700_000_000_000,
  });
  const records: Target[] = batches.map((batch, id) => ({
    name: `records compressed by codec ${id}`,
    originals: [batch, Buffer.concat([batch, batch])],
    decode: async (bytes) => {
      const read: unknown[] = [];
      for (const one of batchesIn(bytes)) {
        const decoded = await decodeBatch(one, { topic: 't', partition: 0, maxDecompressedBytes: 100_000 });
        for (const { key, value, headers, offset, timestamp } of decoded)
          read.push([key, value, headers, offset, timestamp]);
      }
      return read;
    },
  }));
  return [
    ...records,
    {
      name: 'a control batch',
      originals: [commit],
      decode: (bytes) => [...batchesIn(bytes)].map((batch) => readControlRecord(batch)),
    },
  ];
}

const headerTarget: Target = {
  name: 'a request header',
  originals: [
    Buffer.from('0003000900000001000461626364', 'hex').subarray(0, 14),
    Buffer.from('00120000000000070000', 'hex'),
  ],
  decode: (bytes) => decodeRequestHeader(new CountedReader(bytes)),
};

/** How many values there are in a value, itself included; views of the bytes given count as one. */
function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return 1;
  let size = 1;
  for (const inner of Object.values(value)) size += sizeOf(inner);
  return size;
}

// A struct is the most that a byte can say: none here has more than 64 values in it, defaults included.
const mostValues = (bytes: Buffer): number => 64 * (bytes.length + 2);

async function attack(target: Target, random: Random, other: Buffer): Promise<'value' | 'error'> {
  const original = target.originals[Math.floor(random.next() * target.originals.length)] as Buffer;
  const bytes = mutated(random, original, other);
  try {
    const value = await target.decode(bytes);
    if (target.name.startsWith('records')) return 'value';
    if (sizeOf(value) > mostValues(bytes)) throw new Error(`${sizeOf(value)} values of ${bytes.length} bytes`);
    return 'value';
  } catch (error) {
    if (error instanceof KrafkaError) return 'error';
    throw new Error(`${target.name}, seed ${seed}, given ${bytes.toString('hex')}`, { cause: error });
  }
}

describe('decoders given broken bytes', () => {
  it(
    `answer with a value or a typed error (KRAFKA_FUZZ_SEED=${seed})`,
    async () => {
      const targets = [...[...APIS.values()].flatMap(messageTargets), ...(await recordTargets()), headerTarget];
      const outcomes = { value: 0, error: 0 };
      const random = seededRandom(seed);
      const end = Date.now() + budgetMs;
      let rounds = 0;
      // Whole rounds, so that each decoder has its turn; at least one, however slow the machine.
      do {
        for (const [index, target] of targets.entries()) {
          const other = (targets[(index * 7 + rounds) % targets.length] as Target).originals[0] as Buffer;
          outcomes[await attack(target, random, other)] += 1;
        }
        rounds += 1;
      } while (Date.now() < end);
      console.log(
        `fuzz: seed ${seed}, ${rounds} rounds of ${targets.length} decoders, ${outcomes.value} values, ${outcomes.error} errors`,
      );
      expect(outcomes.value + outcomes.error).toBe(rounds * targets.length);
      expect(Math.min(outcomes.value, outcomes.error)).toBeGreaterThan(0);
    },
    budgetMs + 60_000,
  );
});
