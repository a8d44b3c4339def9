import { jest } from '@jest/globals';
import { Transport, type BaseRpcContext } from '@nestjs/microservices';
import { of, Subject } from 'rxjs';
import { aDelivery, aHandler, aPartition } from '../spec-support/delivery.js';
import { turns } from '../spec-support/hand-clock.js';
import { aRecord } from '../spec-support/records.js';
import { replyAddressOf, type ReplyAddress } from '../wire/reply.js';
import { deliverEvent } from './event-delivery.js';
import { betweenHooks, type ProcessingHooks } from './processing-hooks.js';
import { deliverRequest } from './request-delivery.js';

const request = aRecord({ headers: { kafka_correlationId: 'c', kafka_replyTopic: 'r' } });
const address = replyAddressOf(request) as ReplyAddress;

function setUp() {
  const calls: string[] = [];
  const hooks: ProcessingHooks = {
    transportId: Transport.KAFKA,
    onStart: (_transport, _context, done) => {
      calls.push('start');
      void done();
    },
    onEnd: () => void calls.push('end'),
  };
  const delivery = aDelivery({ hooks: () => hooks });
  return { ...delivery, calls, hooks };
}

const failingAtTheEnd = (): ProcessingHooks => ({
  transportId: Transport.KAFKA,
  onStart: undefined,
  onEnd: () => {
    throw new Error('no span');
  },
});

describe("Nest's processing hooks", () => {
  it('run around an event, the end once', async () => {
    const { delivery, calls } = setUp();
    const handler = aHandler(async () => {
      calls.push('handler');
      return of(1, 2);
    });
    await deliverEvent(delivery, [handler], aRecord(), aPartition());
    expect(calls).toEqual(['start', 'handler', 'end']);
  });

  it('run around every try of an event that fails', async () => {
    const { delivery, calls } = setUp();
    const handler = aHandler(() => Promise.reject(new Error('no')), { retries: 0, then: 'skip' });
    await deliverEvent(delivery, [handler], aRecord(), aPartition());
    expect(calls).toEqual(['start', 'end']);
  });

  it('end with the stream of a request, not with its first answer', async () => {
    const { delivery, calls } = setUp();
    const stream = new Subject<number>();
    const delivering = deliverRequest(
      delivery,
      aHandler(async () => stream),
      request,
      address,
      aPartition(),
    );
    await turns();
    stream.next(1);
    await delivering;
    expect(calls).toEqual(['start']);
    stream.complete();
    expect(calls).toEqual(['start', 'end']);
  });

  it('end once when a request fails', async () => {
    const { delivery, calls } = setUp();
    await deliverRequest(
      delivery,
      aHandler(() => Promise.reject(new Error('no'))),
      request,
      address,
      aPartition(),
    );
    expect(calls).toEqual(['start', 'end']);
  });

  it('that throw at the end make no failure of an event that was handled', async () => {
    const { delivery } = setUp();
    let handled = 0;
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const handler = aHandler(async () => void (handled += 1));
    await expect(
      deliverEvent({ ...delivery, hooks: failingAtTheEnd }, [handler], aRecord(), aPartition()),
    ).resolves.toBe(true);
    expect(handled).toBe(1);
    expect(warn.mock.calls).toEqual([['a processing end hook threw: Error: no span', 'KrafkaHookWarning']]);
    warn.mockRestore();
  });

  it('may run the work later: the outcome waits for it', async () => {
    const { calls } = setUp();
    let go: (() => Promise<unknown>) | undefined;
    const hooks: ProcessingHooks = {
      transportId: Transport.KAFKA,
      onStart: (_t, _c, done) => (go = done),
      onEnd: undefined,
    };
    const running = betweenHooks(hooks, {} as BaseRpcContext, async () => void calls.push('work'));
    await turns();
    expect(calls).toEqual([]);
    void go?.();
    await running;
    expect(calls).toEqual(['work']);
  });
});
