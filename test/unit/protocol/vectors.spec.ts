import { APIS, Reader, Writer, type MessageCodec } from '../../../lib/core/protocol/index.js';
import { tableCodec, wireVectorsOf, type Side, type WireVector } from './wire-vectors.js';

const apis = [...APIS.values()].map((api) => [api.name, api] as const);
const sides: readonly Side[] = ['request', 'response'];

/** What a codec makes of a vector: the value read, the bytes left over, and what it writes of the same value. */
function through(codec: MessageCodec<unknown, unknown>, { version, given, value, bytes }: WireVector): unknown {
  const reader = new Reader(bytes);
  return {
    version,
    value: codec.decode(reader, version),
    left: reader.remaining,
    ofGiven: written(codec, given, version),
    ofWhole: written(codec, value, version),
  };
}

function written(codec: MessageCodec<unknown, unknown>, value: unknown, version: number): string {
  const writer = new Writer(16);
  codec.encode(writer, value, version);
  return `${writer.length}: ${writer.toBuffer().toString('hex')}`;
}

function unharmed({ version, value, bytes }: WireVector): unknown {
  const same = `${bytes.length}: ${bytes.toString('hex')}`;
  return { version, value, left: 0, ofGiven: same, ofWhole: same };
}

describe.each(apis)('what the Java client writes of %s', (_name, api) => {
  const vectors = wireVectorsOf(api);

  it('is at hand for every version, both ways', () => {
    const wanted: unknown[] = [];
    for (const side of sides) {
      for (let { from: version } = api.versions; version <= api.versions.to; version++) {
        for (let count = 0; count < 6; count++) wanted.push({ side, version });
      }
    }
    expect(vectors.map(({ side, version }) => ({ side, version }))).toEqual(wanted);
  });

  it.each(sides)('is read to the same %s, and written as the same bytes', (side) => {
    const of = vectors.filter((vector) => vector.side === side);
    expect(of.map((vector) => through(api[side], vector))).toEqual(of.map(unharmed));
  });

  it.each(sides)('is so by the table alone, too: the %s', (side) => {
    const codec = tableCodec(api, side);
    const of = vectors.filter((vector) => vector.side === side);
    expect(of.map((vector) => through(codec, vector))).toEqual(of.map(unharmed));
  });
});
