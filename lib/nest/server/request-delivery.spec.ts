import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { EMPTY, of, Subject, throwError } from 'rxjs';
import { aDelivery, aHandler, aPartition } from '../spec-support/delivery.js';
import { turns } from '../spec-support/hand-clock.js';
import { aRecord } from '../spec-support/records.js';
import { Payloads } from '../wire/payloads.js';
import { decodeReply, replyAddressOf, type ReplyAddress } from '../wire/reply.js';
import { jsonSerde } from '../wire/serde.js';
import { dispatchTo } from './dispatch.js';
import { HandlerRegistry } from './handler-registry.js';
import { deliverRequest } from './request-delivery.js';

const request = aRecord({
  topic: 'price',
  value: '{"sku":"a"}',
  headers: { kafka_correlationId: 'c', kafka_replyTopic: 'price.reply', kafka_replyPartition: '1' },
});
const address = replyAddressOf(request) as ReplyAddress;

function setUp() {
  const parts = aDelivery();
  const packets = () =>
    parts.producer.sent.map(({ value, headers }) =>
      decodeReply(aRecord({ value, headers: headers ?? {} }), new Payloads()),
    );
  return { ...parts, packets };
}

describe('A request', () => {
  it.each([
    ['a value', { total: 5 }, [{ response: { total: 5 }, isDisposed: true }]],
    ['nothing', undefined, [{ response: null, isDisposed: true }]],
    ['an empty stream', EMPTY, [{ isDisposed: true }]],
    [
      'a stream',
      of('a', 'b'),
      [
        { response: 'a', isDisposed: false },
        { response: 'b', isDisposed: true },
      ],
    ],
    ['a stream that fails', throwError(() => ({ message: 'no' })), [{ err: { message: 'no' }, isDisposed: true }]],
  ])('is answered when its handler returns %s', async (_what, result, replies) => {
    const { delivery, packets, settled } = setUp();
    await deliverRequest(
      delivery,
      aHandler(async () => result),
      request,
      address,
      aPartition(),
    );
    await settled();
    expect(packets()).toEqual(replies);
  });

  it('is answered with what its handler throws, and not tried again', async () => {
    const { delivery, packets, settled } = setUp();
    let calls = 0;
    const handler = aHandler(() => {
      calls += 1;
      return Promise.reject({ status: 'error', message: 'no' });
    });
    await deliverRequest(delivery, handler, request, address, aPartition());
    await settled();
    expect(packets()).toEqual([{ err: { status: 'error', message: 'no' }, isDisposed: true }]);
    expect(calls).toBe(1);
  });

  it('lets the next record go when the first answer is there, while the rest of the stream goes on', async () => {
    const { delivery, packets, settled } = setUp();
    const stream = new Subject<string>();
    let done = false;
    void deliverRequest(
      delivery,
      aHandler(async () => stream),
      request,
      address,
      aPartition(),
    ).then(() => (done = true));
    await turns();
    expect(done).toBe(false);
    stream.next('a');
    await turns();
    expect(done).toBe(true);
    stream.next('b');
    stream.complete();
    await settled();
    expect(packets()).toEqual([
      { response: 'a', isDisposed: false },
      { response: 'b', isDisposed: true },
    ]);
  });

  it('is tried again when its handler asks for it before its first answer, and then answered', async () => {
    const { delivery, packets, settled, clock } = setUp();
    let calls = 0;
    const handler = aHandler(async () => {
      calls += 1;
      if (calls < 3) throw new KafkaRetriableException('later');
      return 'now';
    });
    const delivering = deliverRequest(delivery, handler, request, address, aPartition());
    await clock.pass(10_000);
    await delivering;
    await settled();
    expect(packets()).toEqual([{ response: 'now', isDisposed: true }]);
    expect(delivery.counts.retries).toBe(2);
  });

  it('is answered with the error when the retries are used up', async () => {
    const { delivery, packets, settled, clock } = setUp();
    const handler = aHandler(() => Promise.reject(new KafkaRetriableException('later')), { retries: 1 });
    const delivering = deliverRequest(delivery, handler, request, address, aPartition());
    await clock.pass(10_000);
    await delivering;
    await settled();
    expect(packets()).toMatchObject([{ err: { error: 'later' }, isDisposed: true }]);
  });
});

function dispatch(kinds: readonly ('message' | 'event')[]) {
  const parts = setUp();
  const registry = new HandlerRegistry();
  const calls: string[] = [];
  for (const kind of kinds) {
    const callback = async (): Promise<string> => {
      calls.push(kind);
      return 'answer';
    };
    registry.add(aHandler(callback, undefined, { pattern: 'price', kind }));
  }
  return { ...parts, calls, handle: dispatchTo(registry, parts.delivery) };
}

describe('A record', () => {
  const event = aRecord({ topic: 'price', value: 'x' });

  it('that names a reply topic goes to the message handler, any other to the event handlers', async () => {
    const { handle, calls, packets, settled } = dispatch(['event', 'message', 'event']);
    await handle(request, aPartition());
    await settled();
    expect(calls).toEqual(['message']);
    expect(packets()).toEqual([{ response: 'answer', isDisposed: true }]);
    await handle(event, aPartition());
    expect(calls).toEqual(['message', 'event', 'event']);
    expect(packets()).toHaveLength(1);
  });

  it('that is an event goes to the message handler where no other is there, and is not answered', async () => {
    const { handle, calls, packets } = dispatch(['message']);
    await handle(event, aPartition());
    await turns();
    expect(calls).toEqual(['message']);
    expect(packets()).toEqual([]);
  });

  it('that is a request is an event where only event handlers are, and nobody answers it', async () => {
    const { handle, calls, packets, settled } = dispatch(['event']);
    await handle(request, aPartition());
    await settled();
    expect(calls).toEqual(['event']);
    expect(packets()).toEqual([]);
  });

  it.each([
    ['skip', []],
    ['dead-letter', [{ error: { code: 'UNMATCHED' } }]],
  ] as const)('that is a request no event handler is for is an event: %s', async (unmatched, expected) => {
    const { delivery, deadLetters, packets, settled } = setUp();
    const registry = new HandlerRegistry();
    const when = { header: 'type', is: 'other' };
    registry.add(aHandler(async () => undefined, undefined, { pattern: 'price', when }));
    await dispatchTo(registry, { ...delivery, unmatched })(request, aPartition());
    await settled();
    expect(deadLetters).toMatchObject(expected);
    expect(delivery.counts.unmatched).toBe(1);
    expect(packets()).toEqual([]);
  });

  it('that is a request none of the message handlers is for is refused, beside the event handlers it is for', async () => {
    const { delivery, packets, settled } = setUp();
    const registry = new HandlerRegistry();
    const when = { header: 'type', is: 'other' };
    const calls: string[] = [];
    registry.add(aHandler(async () => calls.push('message'), undefined, { pattern: 'price', kind: 'message', when }));
    registry.add(aHandler(async () => calls.push('event'), undefined, { pattern: 'price' }));
    await dispatchTo(registry, delivery)(request, aPartition());
    await settled();
    expect(calls).toEqual(['event']);
    expect(packets()).toMatchObject([{ err: expect.stringContaining('no matching message handler') as string }]);
  });

  it('nobody handles is answered when it is a request and told to the log when it is an event', async () => {
    const { handle, packets, settled, logger } = dispatch([]);
    await handle(request, aPartition());
    await handle(event, aPartition());
    await settled();
    expect(packets()).toEqual([
      { err: 'There is no matching message handler defined in the remote service.', isDisposed: true },
    ]);
    expect(logger.lines).toEqual([
      'error There is no matching event handler defined in the remote service. Event pattern: price',
    ]);
  });

  describe('with a deadline', () => {
    const until = (deadline: number): ReplyAddress => ({ ...address, deadline });

    it('is not worked on once that and the grace have passed', async () => {
      const { delivery, clock, packets, logger, settled } = setUp();
      await clock.pass(5_000);
      let calls = 0;
      const handler = aHandler(async () => (calls += 1));
      await deliverRequest(delivery, handler, request, until(4_001), aPartition());
      expect(calls).toBe(1);
      for (let n = 0; n < 5; n++) await deliverRequest(delivery, handler, request, until(4_000), aPartition());
      expect({ calls, late: delivery.counts.lateRequests, told: logger.lines.length }).toEqual({
        calls: 1,
        late: 5,
        told: 3,
      });
      await settled();
      expect(packets()).toHaveLength(1);
    });

    it('is worked on for ever where the server says so', async () => {
      const { delivery, clock, packets, settled } = setUp();
      await clock.pass(5_000);
      const handler = aHandler(async () => 'late');
      const patient = { ...delivery, lateRequestGraceMs: undefined };
      await deliverRequest(patient, handler, request, until(1), aPartition());
      await settled();
      expect(packets()).toEqual([{ response: 'late', isDisposed: true }]);
    });

    it('has its stream ended when it passes, and its source is let go', async () => {
      const { delivery, clock, packets, settled } = setUp();
      const source = new Subject<number>();
      const delivering = deliverRequest(
        delivery,
        aHandler(async () => source),
        request,
        until(2_000),
        aPartition(),
      );
      await turns();
      source.next(1);
      await delivering;
      await clock.pass(2_999);
      expect(source.observed).toBe(true);
      await clock.pass(1);
      expect({ observed: source.observed, late: delivery.counts.lateRequests }).toEqual({ observed: false, late: 1 });
      await settled();
      expect(packets()).toEqual([{ response: '1', isDisposed: false }]);
    });
  });

  describe('that is answered with an async iterable', () => {
    it('gets each value in order, and the end', async () => {
      const { delivery, packets, settled } = setUp();
      async function* answers(): AsyncIterable<number> {
        yield 1;
        await turns();
        yield 2;
      }
      await deliverRequest(
        delivery,
        aHandler(async () => answers()),
        request,
        address,
        aPartition(),
      );
      await settled();
      expect(packets()).toEqual([
        { response: '1', isDisposed: false },
        { response: '2', isDisposed: true },
      ]);
    });

    it('asks for the next value only when there is room: a source that never ends does not fill the memory', async () => {
      const { delivery, producer } = setUp();
      let pulled = 0;
      producer.before = () => new Promise(() => undefined);
      async function* endless(): AsyncIterable<number> {
        for (;;) yield (pulled += 1);
      }
      await deliverRequest(
        delivery,
        aHandler(async () => endless()),
        request,
        address,
        aPartition(),
      );
      await turns();
      const before = pulled;
      await turns();
      expect(pulled).toBe(before);
      expect(pulled).toBeLessThan(200);
    });

    it('is told what went wrong, in the words of Nest', async () => {
      const failing = async (error: Error): Promise<unknown> => {
        const { delivery, packets, settled } = setUp();
        async function* answers(): AsyncIterable<number> {
          yield 1;
          throw error;
        }
        await deliverRequest(
          delivery,
          aHandler(async () => answers()),
          request,
          address,
          aPartition(),
        );
        await settled();
        return packets().at(-1);
      };
      expect(await failing(new RpcException({ code: 'NO' }))).toEqual({ err: { code: 'NO' }, isDisposed: true });
      expect(await failing(new RpcException('no'))).toEqual({
        err: { status: 'error', message: 'no' },
        isDisposed: true,
      });
      expect(await failing(new Error('secret'))).toEqual({
        err: { status: 'error', message: 'Internal server error' },
        isDisposed: true,
      });
    });
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('aborted'))],
    ['returns a stream that fails', async () => throwError(() => new Error('aborted'))],
    ['returns an async iterable that fails', async () => abortedAtOnce()],
  ])('whose handler %s because its partition was taken away is left to whoever gets that', async (_what, end) => {
    const { delivery, packets, settled } = setUp();
    const partition = aPartition();
    const handler = aHandler(() => {
      partition.revoke();
      return end();
    });
    await expect(deliverRequest(delivery, handler, request, address, partition)).rejects.toThrow('taken away');
    await settled();
    expect(packets()).toEqual([]);
  });

  it.each([true, false])(
    'has its stream let go when closing waits no longer: answered before is %s',
    async (before) => {
      for (const kind of ['Observable', 'iterable']) {
        const { delivery, packets, letGo } = setUp();
        const partition = aPartition();
        const source = new Subject<number>();
        async function* pulled(): AsyncIterable<number> {
          if (before) yield 1;
          await new Promise(() => undefined);
        }
        const handler = aHandler(async () => (kind === 'Observable' ? source : pulled()));
        const outcome = deliverRequest(delivery, handler, request, address, partition).catch((error: unknown) => error);
        await turns();
        if (before) source.next(1);
        await turns();
        partition.revoke();
        await letGo();
        await turns();
        expect(source.observed).toBe(false);
        expect(packets()).toMatchObject(
          before ? [{ response: '1' }, { err: { message: expect.stringContaining('closed') as string } }] : [],
        );
        expect((await outcome) instanceof Error).toBe(!before);
      }
    },
  );

  it('that was answered in part before its partition was taken away is told how that ends', async () => {
    const { delivery, packets, settled } = setUp();
    const partition = aPartition();
    async function* answers(): AsyncIterable<number> {
      yield 1;
      partition.revoke();
      throw new RpcException('aborted');
    }
    await deliverRequest(
      delivery,
      aHandler(async () => answers()),
      request,
      address,
      partition,
    );
    await settled();
    expect(packets()).toMatchObject([{ response: '1' }, { err: { message: 'aborted' }, isDisposed: true }]);
  });

  it('whose payload the serde refuses is answered with what is wrong', async () => {
    const { delivery, packets, settled } = setUp();
    const raw = aRecord({ topic: 'price', value: 'no JSON' });
    const strict = { ...delivery, payloads: new Payloads({ serde: { topics: { price: jsonSerde } } }) };
    await deliverRequest(
      strict,
      aHandler(async () => 1),
      raw,
      address,
      aPartition(),
    );
    await settled();
    expect(packets()).toMatchObject([
      { err: { status: 'error', code: 'SERIALIZATION', message: expect.stringContaining('no JSON') as string } },
    ]);
  });
});

const abortedAtOnce = (): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('aborted')) }),
});
