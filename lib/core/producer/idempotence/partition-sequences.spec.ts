import { PartitionSequences, sequenceAfter } from './partition-sequences.js';

const FIRST = { producerId: 5, producerEpoch: 0 };
const NOW = 100_000;
const SECOND = { producerId: 5, producerEpoch: 1 };

describe('sequenceAfter', () => {
  it('wraps after 2^31 - 1, as brokers do', () => {
    expect(sequenceAfter(0x7fff_fffe, 1)).toBe(0x7fff_ffff);
    expect(sequenceAfter(0x7fff_ffff, 1)).toBe(0);
    expect(sequenceAfter(0x7fff_fff0, 100)).toBe(84);
  });
});

describe('PartitionSequences', () => {
  it('gives out ranges one behind the other', () => {
    const sequences = new PartitionSequences();
    expect([sequences.stamp(FIRST, 3, NOW), sequences.stamp(FIRST, 1, NOW), sequences.stamp(FIRST, 2, NOW)]).toEqual([
      0, 3, 4,
    ]);
  });

  it('begins at 0 for another identity, but only once everything of the old one is answered', () => {
    const sequences = new PartitionSequences();
    sequences.acknowledged(FIRST, sequences.stamp(FIRST, 3, NOW), 3, NOW);
    sequences.stamp(FIRST, 3, NOW);
    expect(sequences.mayStamp(FIRST, 1)).toBe(true);
    expect(sequences.mayStamp(SECOND, 1)).toBe(false);
    expect(sequences.mayStamp(SECOND, 0)).toBe(true);
    expect(sequences.stamp(SECOND, 3, NOW)).toBe(0);
  });

  it('sends nothing behind the first batch of an identity: a broker that knows nothing takes any sequence for a beginning', () => {
    const sequences = new PartitionSequences();
    expect(sequences.mayStamp(FIRST, 0)).toBe(true);
    const base = sequences.stamp(FIRST, 3, NOW);
    expect(sequences.mayStamp(FIRST, 1)).toBe(false);
    sequences.acknowledged(FIRST, base, 3, NOW);
    sequences.stamp(FIRST, 3, NOW);
    expect(sequences.mayStamp(FIRST, 1)).toBe(true);
  });

  it('sends nothing behind a batch that comes after a long silence: the broker may have forgotten the producer', () => {
    const sequences = new PartitionSequences();
    sequences.acknowledged(FIRST, sequences.stamp(FIRST, 1, NOW), 1, NOW);
    const base = sequences.stamp(FIRST, 1, NOW + 60_001);
    expect(sequences.mayStamp(FIRST, 1)).toBe(false);
    sequences.acknowledged(FIRST, base, 1, NOW + 60_002);
    sequences.stamp(FIRST, 1, NOW + 60_003);
    expect(sequences.mayStamp(FIRST, 1)).toBe(true);
  });

  it('stamps nothing behind a range whose fate is unknown', () => {
    const sequences = new PartitionSequences();
    const base = sequences.stamp(FIRST, 3, NOW);
    sequences.abandoned(FIRST, base, 3, 'unknown');
    expect(sequences.hasHole).toBe(true);
    expect(sequences.mayStamp(FIRST, 0)).toBe(false);
  });

  it('closes the hole when a batch behind it is acknowledged: it was written', () => {
    const sequences = new PartitionSequences();
    const first = sequences.stamp(FIRST, 3, NOW);
    const second = sequences.stamp(FIRST, 2, NOW);
    sequences.abandoned(FIRST, first, 3, 'unknown');
    expect(sequences.mustRestart(1)).toBe(false);
    sequences.acknowledged(FIRST, second, 2, NOW);
    expect(sequences.mustRestart(0)).toBe(false);
    expect(sequences.mayStamp(FIRST, 0)).toBe(true);
    expect(sequences.stamp(FIRST, 1, NOW)).toBe(5);
  });

  it('starts again when the hole stays open with nothing left that could close it', () => {
    const sequences = new PartitionSequences();
    const base = sequences.stamp(FIRST, 3, NOW);
    sequences.abandoned(FIRST, base, 3, 'unknown');
    expect(sequences.mustRestart(0)).toBe(true);
    sequences.restart(SECOND);
    expect(sequences.mustRestart(0)).toBe(false);
    expect(sequences.stamp(SECOND, 1, NOW)).toBe(0);
  });

  it('gives a range out again only when it is certain not to have been written and is the last', () => {
    const sequences = new PartitionSequences();
    const first = sequences.stamp(FIRST, 3, NOW);
    const second = sequences.stamp(FIRST, 2, NOW);
    sequences.abandoned(FIRST, second, 2, 'unwritten');
    expect(sequences.stamp(FIRST, 1, NOW)).toBe(second);
    sequences.abandoned(FIRST, first, 3, 'unwritten');
    expect(sequences.hasHole).toBe(true);
    expect(sequences.mayStamp(FIRST, 1)).toBe(false);
  });

  it('gives nothing out again behind a hole', () => {
    const sequences = new PartitionSequences();
    const first = sequences.stamp(FIRST, 1, NOW);
    const second = sequences.stamp(FIRST, 1, NOW);
    sequences.abandoned(FIRST, first, 1, 'unknown');
    sequences.abandoned(FIRST, second, 1, 'unwritten');
    expect(sequences.next).toBe(2);
    expect(sequences.mustRestart(0)).toBe(true);
  });

  it('heeds no answer to a stamp of a former identity', () => {
    const sequences = new PartitionSequences();
    const old = sequences.stamp(FIRST, 3, NOW);
    sequences.restart(SECOND);
    const base = sequences.stamp(SECOND, 1, NOW);
    sequences.acknowledged(FIRST, old, 3, NOW);
    sequences.abandoned(FIRST, old, 3, 'unknown');
    expect(sequences.hasHole).toBe(false);
    sequences.abandoned(SECOND, base, 1, 'unknown');
    expect(sequences.mustRestart(0)).toBe(true);
  });

  it('starts again when that was demanded, whatever was acknowledged', () => {
    const sequences = new PartitionSequences();
    sequences.acknowledged(FIRST, sequences.stamp(FIRST, 3, NOW), 3, NOW);
    sequences.demandRestart();
    expect(sequences.mayStamp(FIRST, 0)).toBe(false);
    expect(sequences.mustRestart(2)).toBe(true);
  });

  it('takes an answer that comes late for no step back', () => {
    const sequences = new PartitionSequences();
    const [first, second] = [sequences.stamp(FIRST, 1, NOW), sequences.stamp(FIRST, 1, NOW)];
    const third = sequences.stamp(FIRST, 1, NOW);
    sequences.acknowledged(FIRST, second, 1, NOW);
    sequences.acknowledged(FIRST, first, 1, NOW);
    sequences.abandoned(FIRST, third, 1, 'unknown');
    expect(sequences.mustRestart(0)).toBe(true);
    const others = new PartitionSequences();
    others.acknowledged(FIRST, others.stamp(FIRST, 1, NOW), 1, NOW);
    expect(others.mustRestart(0)).toBe(false);
  });

  it('counts on across the wrap', () => {
    const sequences = new PartitionSequences();
    let base = sequences.stamp(FIRST, 0x7fff_fff0, NOW);
    sequences.acknowledged(FIRST, base, 0x7fff_fff0, NOW);
    base = sequences.stamp(FIRST, 100, NOW);
    sequences.acknowledged(FIRST, base, 100, NOW);
    expect(sequences.next).toBe(84);
    const next = sequences.stamp(FIRST, 1, NOW);
    sequences.abandoned(FIRST, next, 1, 'unknown');
    const behind = new PartitionSequences();
    expect(behind.next).toBe(0);
    expect(sequences.mustRestart(0)).toBe(true);
  });
});
