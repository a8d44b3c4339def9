import { Deferred } from '../../core/support/index.js';
import { turns } from '../spec-support/hand-clock.js';
import { encodeAll, SendingOrder } from './sending-order.js';

function setUp() {
  const order = new SendingOrder();
  const handed: unknown[] = [];
  /** Gives it to be handed over; the outcome is its own name. */
  const give = <Encoded>(encoding: Encoded | Promise<Encoded>): Promise<Encoded> =>
    order.inTurn(encoding, async (encoded) => {
      handed.push(encoded);
      return encoded;
    });
  return { order, handed, give };
}

describe('The order of sends', () => {
  it('is that in which they were given, whatever time each takes to become bytes', async () => {
    const { handed, give } = setUp();
    const [slow, fast] = [new Deferred<string>(), new Deferred<string>()];
    const outcomes = [give(slow.promise), give('at once'), give(fast.promise), give('at once, too')];
    fast.resolve('fast');
    await turns();
    expect(handed).toEqual([]);
    slow.resolve('slow');
    expect(await Promise.all(outcomes)).toEqual(['slow', 'at once', 'fast', 'at once, too']);
    expect(handed).toEqual(['slow', 'at once', 'fast', 'at once, too']);
  });

  it('is free for what comes next in the very turn in which the last one was handed over', async () => {
    const { order, give, handed } = setUp();
    const free: boolean[] = [order.isFree];
    const first = order.inTurn(Promise.resolve('first'), async () => {
      queueMicrotask(() => free.push(order.isFree));
    });
    free.push(order.isFree);
    await first;
    expect(free).toEqual([true, false, true]);
    await give('next');
    expect(handed).toEqual(['next']);
  });

  it('waits for what was given before, not for what becomes of it', async () => {
    const { order, handed, give } = setUp();
    const never = new Promise<void>(() => undefined);
    void order.inTurn(Promise.resolve('unanswered'), () => never);
    await give('next');
    await order.handedOver();
    expect(handed).toEqual(['next']);
  });

  it('goes on when one of them can not be bytes, which only the one who gave it is told', async () => {
    const { order, handed, give } = setUp();
    const slow = new Deferred<string>();
    const outcomes = Promise.allSettled([
      give(slow.promise),
      give(Promise.reject(new Error('no form as bytes'))),
      give('next'),
    ]);
    await turns();
    expect(handed).toEqual([]);
    slow.resolve('slow');
    await outcomes;
    expect(await outcomes).toMatchObject([{ value: 'slow' }, { reason: { message: 'no form as bytes' } }, {}]);
    expect({ handed, free: order.isFree }).toEqual({ handed: ['slow', 'next'], free: true });
  });
});

describe('Encoding all of them', () => {
  it('takes no time when none of them does', async () => {
    expect(encodeAll([1, 2], (one) => one * 10)).toEqual([10, 20]);
    const slowly = encodeAll([1, 2], (one) => (one === 1 ? Promise.resolve(10) : 20));
    expect(slowly).toBeInstanceOf(Promise);
    expect(await slowly).toEqual([10, 20]);
  });
});
