import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import type { KrafkaError } from '../../support/index.js';
import { AssignedPartition } from '../assigned-partition.js';
import { settled } from '../spec-support/fake-clock.js';
import { fakePorts } from '../spec-support/ports.js';
import { ScriptedCluster } from '../spec-support/scripted-cluster.js';
import { EpochValidator } from './epoch-validator.js';

/** A partition that has read up to an offset under an epoch, and waits to be compared with its new leader. */
function validating(position: number, epoch: number): AssignedPartition {
  const one = new AssignedPartition('t', 0, 'committed', { maxDecompressedBytes: 1 }, () => undefined);
  one.begin(0, -1, true);
  one.currentLeaderEpoch = 5;
  one.handedOut(position, epoch);
  one.validate();
  return one;
}

function setUp(end: { leaderEpoch?: number; endOffset?: number; error?: ErrorName }) {
  const ports = fakePorts();
  const cluster = new ScriptedCluster();
  cluster.lead({ t: [1] });
  const outcome: unknown[] = [];
  cluster.answer = () => ({
    topics: [
      {
        topic: 't',
        partitions: [
          {
            partition: 0,
            errorCode: ERROR_CODES[end.error ?? 'NONE'],
            leaderEpoch: end.leaderEpoch ?? -1,
            endOffset: end.endOffset ?? -1,
          },
        ],
      },
    ],
  });
  const validator = new EpochValidator({
    cluster,
    ports,
    requestTimeoutMs: 30_000,
    onValid: () => outcome.push('valid'),
    onTruncated: (_, truncation) => outcome.push(truncation),
    onRefused: (_, error: KrafkaError) => outcome.push(error.code),
  });
  return { validator, cluster, outcome, end, ...ports };
}

describe('EpochValidator', () => {
  it('asks the new leader where the epoch ends that was read last', async () => {
    const { validator, cluster, outcome } = setUp({ leaderEpoch: 3, endOffset: 10 });
    validator.validate(validating(10, 3));
    await settled();
    expect(cluster.requests('OffsetForLeaderEpoch')[0]?.body).toEqual({
      replicaId: -1,
      topics: [{ topic: 't', partitions: [{ partition: 0, currentLeaderEpoch: 5, leaderEpoch: 3 }] }],
    });
    expect(outcome).toEqual(['valid']);
  });

  it('finds a log that was cut off behind what was read, and where', async () => {
    const { validator, outcome } = setUp({ leaderEpoch: 2, endOffset: 7 });
    validator.validate(validating(10, 3));
    await settled();
    expect(outcome).toEqual([{ offset: 7, leaderEpoch: 2 }]);
  });

  it('says that it does not know where, when the leader knows nothing of the epoch', async () => {
    const { validator, outcome } = setUp({});
    validator.validate(validating(10, 3));
    await settled();
    expect(outcome).toEqual([{ offset: undefined, leaderEpoch: -1 }]);
  });

  it.each(['FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH', 'NOT_LEADER_OR_FOLLOWER'] as const)(
    'asks again after %s',
    async (error) => {
      const { validator, outcome, end, clock } = setUp({ error });
      validator.validate(validating(10, 3));
      await settled();
      expect(outcome).toEqual([]);
      Object.assign(end, { error: 'NONE', leaderEpoch: 3, endOffset: 10 });
      await clock.advance(200);
      expect(outcome).toEqual(['valid']);
    },
  );

  it('compares nothing when the partition was sought meanwhile', async () => {
    const { validator, outcome } = setUp({ leaderEpoch: 2, endOffset: 7 });
    const one = validating(10, 3);
    validator.validate(one);
    one.seek(50);
    await settled();
    expect(outcome).toEqual([]);
  });

  it('asks again when a broker fails in a way it has no name for', async () => {
    const { validator, cluster, outcome, end, clock } = setUp({ error: 'UNKNOWN_SERVER_ERROR' });
    validator.validate(validating(10, 3));
    await settled();
    Object.assign(end, { error: 'NONE', leaderEpoch: 3, endOffset: 10 });
    await clock.advance(1_000);
    expect(outcome).toEqual(['valid']);
    expect(cluster.requests('OffsetForLeaderEpoch').map(({ options }) => options)).toEqual([
      { timeoutMs: 30_000 },
      { timeoutMs: 30_000 },
    ]);
  });

  it('tells of a refusal', async () => {
    const { validator, outcome } = setUp({ error: 'TOPIC_AUTHORIZATION_FAILED' });
    validator.validate(validating(10, 3));
    await settled();
    expect(outcome).toEqual(['TOPIC_AUTHORIZATION_FAILED']);
  });
});
