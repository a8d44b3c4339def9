import { FakeClock, settled } from '../consumer/spec-support/fake-clock.js';
import { fakePorts } from '../consumer/spec-support/ports.js';
import { ConsumerRecord } from '../protocol/index.js';
import type { AcquiredRecords, TakenRecords } from './acquired-records.js';
import { Custody } from './custody.js';
import { Holdings } from './holdings.js';
import { InFlightLimit } from './in-flight-limit.js';
import { ShareRecord } from './share-record.js';
import { partitionOf } from './spec-support/scripted-broker.js';

/** A batch of one record that takes its time to be decompressed. */
function slowRecords() {
  let resolve: (taken: TakenRecords) => void = () => undefined;
  const taken = new Promise<TakenRecords>((done) => (resolve = done));
  let count = 1;
  const records = {
    partition: partitionOf(0),
    lockedUntil: Infinity,
    bytes: 10,
    get count() {
      return count;
    },
    take: () => {
      count = 0;
      return taken;
    },
    drop: () => (count = 0),
  };
  const source = { topic: 't', partition: 0, leaderEpoch: 1, timestampType: 'CreateTime', bytes: Buffer.alloc(8) };
  const custody = new Custody({} as never, partitionOf(0), 5, 1, Infinity);
  const record = new ShareRecord(new ConsumerRecord(5, 0, source as never, 0, 8), custody);
  return {
    records: records as unknown as AcquiredRecords,
    record,
    decoded: () => resolve({ records: [record], verdicts: [] }),
  };
}

const holdings = (): Holdings =>
  new Holdings({
    ports: fakePorts(new FakeClock()),
    limit: new InFlightLimit(10),
    renewLocks: false,
    onExpired: () => undefined,
    onRenewalDue: () => undefined,
    onSwept: () => undefined,
  });

describe('holdings', () => {
  it('count what is being decompressed', async () => {
    const held = holdings();
    const { records, record, decoded } = slowRecords();
    held.add(records);
    expect([held.count, held.bufferedBytes]).toEqual([1, 10]);
    const taking = held.take(records);
    expect(held.count).toBe(1);
    decoded();
    expect(await taking).toMatchObject({ records: [record] });
    await settled();
    expect([held.count, record.isAcquired]).toEqual([1, true]);
  });

  it('hand out nothing that was lost while it was decompressed', async () => {
    const held = holdings();
    const { records, record, decoded } = slowRecords();
    held.add(records);
    const taking = held.take(records);
    held.forget();
    decoded();
    expect(await taking).toEqual({ records: [], verdicts: [] });
    await settled();
    expect([held.count, record.isAcquired]).toEqual([0, false]);
  });
});
