import { KrafkaError, KrafkaProtocolError, KrafkaRecordTooLargeError, seededRandom } from '../../core/support/index.js';
import { KeepingLogger, KeepingProducer, aPartition } from '../spec-support/delivery.js';
import { HandClock } from '../spec-support/hand-clock.js';
import { aRecord } from '../spec-support/records.js';
import type { TopicDeclaration } from '../topics.js';
import { deadLetterOf } from './dead-letter.js';
import { DeadLetters } from './dead-letters.js';
import { messageOf } from './describe-error.js';

const record = aRecord({
  topic: 'orders',
  partition: 3,
  offset: 42,
  timestamp: 1_700_000_000_000,
  key: Buffer.from([1, 255]),
  value: Buffer.from([0, 200]),
  headers: { trace: 'abc', many: ['1', '2'], none: null },
});

describe('A dead letter', () => {
  it('has the original bytes and headers, and says where it was and what happened', () => {
    class Unreachable extends Error {}
    const error = new Unreachable('the warehouse is closed');
    const letter = deadLetterOf(record, { groupId: 'shipping', error }, 3);
    expect(letter).toMatchObject({ topic: 'orders-dlt', partition: 3, key: record.key, value: record.value });
    expect(letter.headers).toEqual({
      trace: Buffer.from('abc'),
      many: [Buffer.from('1'), Buffer.from('2')],
      none: null,
      'kafka_dlt-original-topic': 'orders',
      'kafka_dlt-original-partition': '3',
      'kafka_dlt-original-offset': '42',
      'kafka_dlt-original-timestamp': '1700000000000',
      'kafka_dlt-original-timestamp-type': 'CreateTime',
      'kafka_dlt-original-consumer-group': 'shipping',
      'kafka_dlt-exception-fqcn': 'Unreachable',
      'kafka_dlt-exception-message': 'the warehouse is closed',
      'kafka_dlt-exception-stacktrace': error.stack,
    });
  });

  it('bounds what an error says', () => {
    const { headers } = deadLetterOf(record, { groupId: 'g', error: 'x'.repeat(1_000_000) }, undefined);
    expect(String(headers?.['kafka_dlt-exception-message']).length).toBeLessThan(10_000);
  });

  it('describes whatever was thrown', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect([undefined, null, 'text', 7, { message: 'm' }, { code: 1 }, circle].map(messageOf)).toEqual([
      'undefined',
      'null',
      'text',
      '7',
      'm',
      '{"code":1}',
      "Object (which JSON can't show)",
    ]);
  });
});

function setUp(partitions: number | Error = 6) {
  const clock = new HandClock();
  const producer = new KeepingProducer();
  const logger = new KeepingLogger();
  const ensured: TopicDeclaration[] = [];
  const topics = {
    ensure: async (declaration: TopicDeclaration) => {
      ensured.push(declaration);
      if (partitions instanceof Error) throw partitions;
      return partitions;
    },
    partitionsOf: () => 6,
  };
  const deadLetters = new DeadLetters(topics, producer, { clock, random: seededRandom(1), logger });
  return { deadLetters, clock, producer, logger, ensured };
}

describe('Dead letters', () => {
  const cause = { groupId: 'g', error: new Error('no') };

  it('go to a topic made like the one they come from, on the same partition', async () => {
    const { deadLetters, producer, ensured } = setUp();
    await deadLetters.publish(record, cause, aPartition().signal);
    expect(ensured).toEqual([{ name: 'orders-dlt', partitions: 6 }]);
    expect(producer.sent).toMatchObject([{ topic: 'orders-dlt', partition: 3 }]);
  });

  it('are placed by their key where the topic has fewer partitions', async () => {
    const { deadLetters, producer } = setUp(2);
    await deadLetters.publish(record, cause, aPartition().signal);
    expect(producer.sent[0]?.partition).toBeUndefined();
  });

  it('are tried again while time may heal, and only then is the record done', async () => {
    const { deadLetters, producer, clock, logger } = setUp();
    let failures = 2;
    producer.before = () => {
      if (failures-- > 0) throw new KrafkaProtocolError('NOT_ENOUGH_REPLICAS', 'no', { retriable: true });
    };
    let done = false;
    const publishing = deadLetters.publish(record, cause, aPartition().signal).then(() => (done = true));
    await clock.pass(0);
    expect(done).toBe(false);
    await clock.pass(1_000);
    await publishing;
    expect(producer.sent).toHaveLength(1);
    expect(logger.lines.filter((line) => line.startsWith('error'))).toHaveLength(2);
  });

  it('stop the consumer rather than lose the record when they can never be written', async () => {
    for (const error of [new KrafkaRecordTooLargeError('orders-dlt', 'is too large'), new Error('a bug')]) {
      const { deadLetters, producer } = setUp();
      producer.before = () => {
        throw error;
      };
      await expect(deadLetters.publish(record, cause, aPartition().signal)).rejects.toMatchObject({
        code: 'DEAD_LETTER_FAILED',
        cause: error,
      });
    }
    const { deadLetters } = setUp(new KrafkaProtocolError('TOPIC_AUTHORIZATION_FAILED', 'no'));
    await expect(deadLetters.publish(record, cause, aPartition().signal)).rejects.toBeInstanceOf(KrafkaError);
  });

  it('are given up with their partition: whoever gets it gets the record', async () => {
    const { deadLetters, producer, clock } = setUp();
    producer.before = () => {
      throw new KrafkaProtocolError('NOT_ENOUGH_REPLICAS', 'no', { retriable: true });
    };
    const partition = aPartition();
    const publishing = deadLetters.publish(record, cause, partition.signal);
    publishing.catch(() => undefined);
    await clock.pass(0);
    partition.revoke();
    await expect(publishing).rejects.toThrow('taken away');
  });
});
