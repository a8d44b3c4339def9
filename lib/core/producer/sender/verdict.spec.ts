import { ERROR_CODES, isRetriable, type ErrorName } from '../../protocol/index.js';
import { judge, type JudgedBatch, type Verdict } from './verdict.js';

const batch: JudgedBatch = {
  recordCount: 2,
  stamped: true,
  oldest: true,
  ambiguous: false,
  pieceOfAmbiguous: false,
  transactional: false,
};
const of = (name: ErrorName, given: Partial<JudgedBatch> = {}): Verdict =>
  judge(ERROR_CODES[name], { ...batch, ...given });

describe('judge', () => {
  it('takes no error and a repeat for written', () => {
    expect(of('NONE')).toEqual({ kind: 'written', duplicate: false });
    expect(of('DUPLICATE_SEQUENCE_NUMBER')).toEqual({ kind: 'written', duplicate: true });
  });

  it.each<ErrorName>(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])(
    'splits on %s, unless there is but one record',
    (name) => {
      expect(of(name)).toEqual({ kind: 'split' });
      expect(of(name, { recordCount: 1 })).toMatchObject({ kind: 'failed', ambiguous: false });
    },
  );

  it.each<ErrorName>(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID'])(
    'retries on %s, with new numbers only for the oldest, and not at all without numbers',
    (name) => {
      expect(of(name)).toMatchObject({ kind: 'retry', restart: true, ambiguous: false });
      expect(of(name, { oldest: false })).toMatchObject({ kind: 'retry', restart: false });
      expect(of(name, { stamped: false })).toMatchObject({ kind: 'failed' });
    },
  );

  it('begins no numbers again for a piece of what may have been written whole', () => {
    for (const name of ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID'] as const) {
      const piece = { ambiguous: true, pieceOfAmbiguous: true };
      expect(of(name, piece)).toMatchObject({ kind: 'failed' });
      expect(of(name, { ...piece, oldest: false })).toMatchObject({ kind: 'retry', restart: false });
      expect(of(name, { ambiguous: true })).toMatchObject({ kind: 'retry', restart: true });
    }
  });

  it('begins no numbers again within a transaction', () => {
    for (const name of ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'] as const) {
      expect(of(name, { transactional: true })).toMatchObject({ kind: 'failed' });
    }
    expect(of('OUT_OF_ORDER_SEQUENCE_NUMBER', { transactional: true, oldest: false })).toMatchObject({
      kind: 'retry',
      restart: false,
    });
  });

  it('gives an epoch that is too old new numbers only where no earlier attempt can have been written', () => {
    expect(of('INVALID_PRODUCER_EPOCH')).toMatchObject({ kind: 'retry', restart: true });
    expect(of('INVALID_PRODUCER_EPOCH', { oldest: false })).toMatchObject({ kind: 'retry', restart: false });
    expect(of('INVALID_PRODUCER_EPOCH', { ambiguous: true })).toMatchObject({ kind: 'failed' });
  });

  it('knows what leaves it open whether a batch was written', () => {
    const ambiguous = (Object.keys(ERROR_CODES) as ErrorName[]).filter((name) => {
      const verdict = of(name);
      return (verdict.kind === 'retry' || verdict.kind === 'failed') && verdict.ambiguous;
    });
    expect(new Set(ambiguous)).toEqual(
      new Set([
        'KAFKA_STORAGE_ERROR',
        'NETWORK_EXCEPTION',
        'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
        'REQUEST_TIMED_OUT',
        'UNKNOWN_SERVER_ERROR',
      ]),
    );
  });

  it('retries every other error that the Java client would, and no other', () => {
    const own = new Set<ErrorName>([
      'NONE',
      'DUPLICATE_SEQUENCE_NUMBER',
      'MESSAGE_TOO_LARGE',
      'RECORD_LIST_TOO_LARGE',
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'UNKNOWN_PRODUCER_ID',
      'INVALID_PRODUCER_EPOCH',
    ]);
    for (const name of Object.keys(ERROR_CODES) as ErrorName[]) {
      if (own.has(name)) continue;
      expect([name, of(name).kind]).toEqual([name, isRetriable(ERROR_CODES[name]) ? 'retry' : 'failed']);
    }
  });

  it('tells stale metadata from other trouble', () => {
    expect(of('NOT_LEADER_OR_FOLLOWER')).toMatchObject({ kind: 'retry', stale: true });
    expect(of('UNKNOWN_TOPIC_ID')).toMatchObject({ kind: 'retry', stale: true });
    expect(of('NOT_ENOUGH_REPLICAS')).toMatchObject({ kind: 'retry', stale: false });
  });
});
