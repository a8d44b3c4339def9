import { Deferred, KrafkaError, KrafkaRecordTooLargeError } from '../../core/support/index.js';
import { KeepingLogger, KeepingProducer } from '../spec-support/delivery.js';
import { turns } from '../spec-support/hand-clock.js';
import { aRecord } from '../spec-support/records.js';
import { isPromise, Payloads } from '../wire/payloads.js';
import { decodeReply } from '../wire/reply.js';
import { Replies } from './replies.js';

function setUp() {
  const producer = new KeepingProducer();
  const logger = new KeepingLogger();
  const replies = new Replies(
    { producer, ports: { logger }, payloads: new Payloads() },
    { correlationId: Buffer.from('c'), topic: 'price.reply', partition: 1, deadline: undefined },
  );
  const packets = () =>
    producer.sent.map(({ value, headers }) => decodeReply(aRecord({ value, headers: headers ?? {} }), new Payloads()));
  return { producer, logger, replies, packets };
}

describe('Replies', () => {
  it('are one record when a single value ends in the turn it came', async () => {
    const { replies, packets, producer } = setUp();
    replies.next('only');
    replies.complete();
    await replies.settled;
    expect(packets()).toEqual([{ response: 'only', isDisposed: true }]);
    expect(producer.sent[0]).toMatchObject({ topic: 'price.reply', partition: 1 });
  });

  it('leave in the turn they came when nothing can follow', () => {
    for (const answer of [
      (replies: Replies) => replies.last(1),
      (replies: Replies) => replies.fail('no'),
      (replies: Replies) => replies.complete(),
      (replies: Replies) => {
        replies.next(1);
        replies.complete();
      },
    ]) {
      const { replies, producer } = setUp();
      let begun = 0;
      producer.before = () => void (begun += 1);
      answer(replies);
      expect(begun).toBe(1);
    }
  });

  it('never linger', async () => {
    const { replies, producer } = setUp();
    replies.last(1);
    await replies.settled;
    expect(producer.options).toEqual([{ immediate: true }]);
  });

  it('keep their order, and the end travels with the last still waiting', async () => {
    const { replies, packets } = setUp();
    ['a', 'b', 'c'].forEach((value) => replies.next(value));
    await turns();
    ['d', 'e'].forEach((value) => replies.next(value));
    replies.complete();
    await replies.settled;
    expect(packets()).toEqual([
      { response: 'a', isDisposed: false },
      { response: 'b', isDisposed: false },
      { response: 'c', isDisposed: false },
      { response: 'd', isDisposed: false },
      { response: 'e', isDisposed: true },
    ]);
  });

  it('end with a record of its own when nothing waits any more', async () => {
    const { replies, packets } = setUp();
    replies.next('a');
    await turns();
    replies.complete();
    await replies.settled;
    expect(packets()).toEqual([{ response: 'a', isDisposed: false }, { isDisposed: true }]);
  });

  it('of an empty stream are its end alone', async () => {
    const { replies, packets } = setUp();
    replies.complete();
    await replies.settled;
    expect(packets()).toEqual([{ isDisposed: true }]);
  });

  it('end with an error after the values before it, and nothing follows', async () => {
    const { replies, packets } = setUp();
    replies.next('a');
    replies.fail({ message: 'no' });
    replies.next('never');
    replies.complete();
    await replies.settled;
    expect(packets()).toEqual([
      { response: 'a', isDisposed: false },
      { err: { message: 'no' }, isDisposed: true },
    ]);
  });

  it('say that something failed even when nothing was thrown', async () => {
    const { replies, packets } = setUp();
    replies.fail(undefined);
    await replies.settled;
    expect(packets()).toEqual([{ err: 'Internal server error', isDisposed: true }]);
  });

  it('hold back while a wave is on its way: what comes meanwhile is the next', async () => {
    const { replies, producer } = setUp();
    const first = new Deferred<void>();
    producer.before = () => first.promise;
    replies.next('a');
    await turns();
    producer.before = () => undefined;
    replies.next('b');
    replies.complete();
    await turns();
    expect(producer.sent).toHaveLength(0);
    first.resolve();
    await replies.settled;
    expect(producer.sent.map(({ value }) => value)).toEqual(['a', 'b']);
  });

  it('are answered with an error when one has no form as bytes or is too large, and their source may stop', async () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const value of [circle, 'too large']) {
      const { replies, producer, packets, logger } = setUp();
      let stopped = false;
      replies.onRefused(() => {
        stopped = true;
        throw new Error('a teardown that fails');
      });
      producer.before = (record) => {
        if (record.value === 'too large') throw new KrafkaRecordTooLargeError('price.reply', 'is too large');
      };
      replies.next(value);
      await turns();
      replies.next('never');
      await replies.settled;
      expect(packets()).toMatchObject([{ err: { status: 'error' }, isDisposed: true }]);
      expect(stopped).toBe(true);
      expect(logger.lines).toHaveLength(2);
    }
  });

  it('of which one was lost end with an error, whatever it was lost for, and their source may stop', async () => {
    for (const lost of ['a', 'b', 'c']) {
      const { replies, producer, packets, logger } = setUp();
      let stopped = 0;
      replies.onRefused(() => void (stopped += 1));
      producer.before = ({ value }) => {
        if (value === lost) throw new KrafkaError('no memory for it', { code: 'BUFFER_FULL' });
      };
      ['a', 'b', 'c'].forEach((value) => replies.next(value));
      replies.complete();
      await replies.settled;
      expect(packets().at(-1)).toEqual({ err: { status: 'error', message: 'no memory for it' }, isDisposed: true });
      expect(packets().filter((packet) => !isPromise(packet) && packet.isDisposed)).toHaveLength(1);
      expect({ stopped, logged: logger.lines.length }).toEqual({ stopped: 1, logged: 1 });
    }
  });

  it('say that they are all there once those before the last are acknowledged', async () => {
    const { replies, producer, packets } = setUp();
    const acknowledged = new Deferred<void>();
    producer.before = ({ value }) => (value === 'a' ? acknowledged.promise : undefined);
    ['a', 'b', 'c'].forEach((value) => replies.next(value));
    replies.complete();
    await turns();
    expect(packets()).toEqual([{ response: 'b', isDisposed: false }]);
    acknowledged.resolve();
    await replies.settled;
    expect(packets().at(-1)).toEqual({ response: 'c', isDisposed: true });
  });

  it('that are lost together are told of once', async () => {
    const { replies, producer, packets, logger } = setUp();
    producer.before = ({ value }) => {
      if (value !== null) throw new KrafkaError('no memory for it', { code: 'BUFFER_FULL' });
    };
    ['a', 'b', 'c'].forEach((value) => replies.next(value));
    await turns();
    replies.next('never');
    replies.complete();
    await replies.settled;
    expect(packets()).toHaveLength(1);
    expect(logger.lines).toHaveLength(1);
  });

  it('that nobody can send, the error in their place neither, are told to the log and to nobody else', async () => {
    const { replies, producer, logger } = setUp();
    producer.before = () => {
      throw new KrafkaError('no such topic', { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    };
    replies.last(1);
    await replies.settled;
    expect(logger.lines).toEqual([
      'error a reply was answered with an error in its place',
      'error a reply was not sent',
    ]);
  });
});
