import { KrafkaError } from '../support/index.js';
import { Custody, type CustodyKeeper } from './custody.js';
import { Renewals } from './renewals.js';
import { keyOf, type SharePartition } from './share-partition.js';

const place = (partition: number): SharePartition => ({ topic: 't', topicId: 'id', partition });
const held = (partition: number): Custody => new Custody({} as CustodyKeeper, place(partition), 7, 1, 1_000);

describe('Renewals', () => {
  it('are those that the answer confirms: one it refuses or says nothing of has failed', async () => {
    const renewals = new Renewals();
    const [confirmed, refused, leftOut] = [held(0), held(1), held(2)];
    const asked = [confirmed, refused, leftOut].map((custody) => renewals.add(custody));
    expect(renewals.take()).toHaveLength(3);
    const error = new KrafkaError('no', { code: 'INVALID_RECORD_STATE' });
    const outcomes = new Map([
      [keyOf('id', 0), undefined],
      [keyOf('id', 1), error],
    ]);
    expect(renewals.settle(outcomes)).toEqual([confirmed]);
    expect(await Promise.allSettled(asked)).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: { code: 'UNKNOWN_SERVER_ERROR', topic: 't', partition: 2 } },
    ]);
    expect(renewals.isWaiting).toBe(false);
  });
});
