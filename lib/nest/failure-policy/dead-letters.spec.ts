import type { ProducerRecord } from '../../core/producer/index.js';
import {
  KrafkaClosedError,
  KrafkaProtocolError,
  KrafkaRecordTooLargeError,
  seededRandom,
} from '../../core/support/index.js';
import { KeepingLogger, KeepingProducer, aPartition } from '../spec-support/delivery.js';
import { HandClock } from '../spec-support/hand-clock.js';
import { aRecord, type RecordFacts } from '../spec-support/records.js';
import type { TopicDeclaration } from '../topics.js';
import { deadLetterOf } from './dead-letter.js';
import { DeadLetters } from './dead-letters.js';
import { messageOf } from './describe-error.js';
import { recordOf } from './letter.js';
import { placeOf } from './original-place.js';
import { decodeRetryLetter, encodeRetryLetter, type RetryLetter } from './retry-letter.js';

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
    const letter = recordOf(deadLetterOf(record, { groupId: 'shipping', error }, 3));
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
    const { headers } = recordOf(deadLetterOf(record, { groupId: 'g', error: 'x'.repeat(1_000_000) }, undefined));
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
  const large = new KeepingProducer();
  const producers = { usual: producer, large: () => large };
  const deadLetters = new DeadLetters(topics, producers, { clock, random: seededRandom(1), logger });
  return { deadLetters, clock, producer, large, logger, ensured };
}

/** Refuses records with more headers than that, as one that is too large. */
const noMoreThan =
  (headers: number) =>
  (letter: ProducerRecord): void => {
    if (Object.keys(letter.headers ?? {}).length <= headers) return;
    throw new KrafkaRecordTooLargeError(letter.topic, 'is too large');
  };

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

  it('that are too large for the producer go by one that takes more, with all that is said of them', async () => {
    const { deadLetters, producer, large } = setUp();
    producer.before = noMoreThan(0);
    await deadLetters.publish(record, cause, aPartition().signal);
    expect(large.sent).toEqual([recordOf(deadLetterOf(record, cause, 3))]);
  });

  it.each([
    ['all but the stack', 11, ['kafka_dlt-exception-message', 'kafka_dlt-exception-fqcn', 'kafka_dlt-original-topic']],
    ['all but what was thrown', 10, ['kafka_dlt-exception-fqcn', 'kafka_dlt-original-topic']],
    ['where it was', 6, ['kafka_dlt-original-topic']],
    ['nothing', 3, []],
  ])('that are too large for their topic say %s', async (_what, most, said) => {
    const { deadLetters, producer, large, logger } = setUp();
    producer.before = noMoreThan(most);
    large.before = noMoreThan(most);
    await deadLetters.publish(record, cause, aPartition().signal);
    const [letter, ...others] = producer.sent;
    expect(others).toEqual([]);
    const names = Object.keys(letter?.headers ?? {});
    expect(names).toEqual(expect.arrayContaining(['trace', 'many', 'none', ...said]));
    expect(names).toHaveLength(most);
    expect(letter).toMatchObject({ partition: 3, key: record.key, value: record.value });
    expect(logger.lines).toEqual(['warn a record that failed had no room for all that is to be said of it']);
    expect(logger.details).toMatchObject([{ topic: 'orders-dlt', record: 'orders[3]@42' }]);
  });

  it.each([
    ['too large without anything', new KrafkaRecordTooLargeError('orders-dlt', 'is too large')],
    ['not allowed', new KrafkaProtocolError('TOPIC_AUTHORIZATION_FAILED', 'no')],
  ])('that are %s wait for somebody to mend that, and nothing else is held up', async (_what, error) => {
    const { deadLetters, producer, large, clock, logger } = setUp();
    let isMended = false;
    producer.before = large.before = () => {
      if (!isMended) throw error;
    };
    let done = false;
    const publishing = deadLetters.publish(record, cause, aPartition().signal).then(() => (done = true));
    await clock.pass(300_000);
    expect(done).toBe(false);
    expect(logger.lines[0]).toMatch(/^error a record that failed can't be written on: it holds up its partition/);
    isMended = true;
    await clock.pass(30_000);
    await publishing;
    expect(producer.sent).toEqual([recordOf(deadLetterOf(record, cause, 3))]);
  });

  it('stop the consumer rather than lose the record when nothing can be written any more', async () => {
    for (const error of [new KrafkaClosedError('the producer'), new Error('a bug')]) {
      const { deadLetters, producer } = setUp();
      producer.before = () => {
        throw error;
      };
      await expect(deadLetters.publish(record, cause, aPartition().signal)).rejects.toMatchObject({
        code: 'DEAD_LETTER_FAILED',
        cause: error,
      });
    }
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

describe('A record on its way to a retry topic', () => {
  const letter: RetryLetter = {
    place: placeOf(record),
    groupId: 'g',
    handler: 'Orders.placed',
    hop: 1,
    attempts: 4,
    dueAt: 9_000,
  };

  it('says less of the error where it is too large, and all that its next call needs', async () => {
    const { deadLetters, producer, large } = setUp();
    const most = Object.keys(encodeRetryLetter(record, letter, 'no', 3).headers).length;
    producer.before = large.before = noMoreThan(most);
    expect(await deadLetters.retryLater(record, letter, new Error('no'), aPartition().signal)).toBe('retry-topic');
    expect(producer.sent).toMatchObject([{ topic: 'orders-retry-1', partition: 3 }]);
    expect(decodeRetryLetter(aRecord(producer.sent[0] as RecordFacts))).toEqual(letter);
  });

  it('is a dead letter when it has no room for that', async () => {
    const { deadLetters, producer, large } = setUp();
    producer.before = large.before = noMoreThan(6);
    expect(await deadLetters.retryLater(record, letter, new Error('no'), aPartition().signal)).toBe('dead-letter');
    expect(producer.sent).toMatchObject([{ topic: 'orders-dlt', headers: { 'kafka_dlt-original-offset': '42' } }]);
  });
});
