import { systemClock } from './clock.js';
import { Deadline } from './deadline.js';
import { Turns } from './turns.js';

const soon = (): Deadline => new Deadline(systemClock, 30, 'budget');
const long = (): Deadline => new Deadline(systemClock, 10_000, 'budget');

describe('Turns', () => {
  it('lets so many work at once, the others in the order in which they came', async () => {
    const turns = new Turns(systemClock, 2);
    const order: string[] = [];
    const first = await turns.take(long(), 'a turn');
    const second = await turns.take(long(), 'a turn');
    const waiting = ['a', 'b', 'c'].map(async (name) => {
      const release = await turns.take(long(), 'a turn');
      order.push(name);
      return release;
    });
    second();
    (await waiting[0]!)();
    first();
    await Promise.all(waiting);
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('ends a turn once, however often it is said', async () => {
    const turns = new Turns(systemClock, 1);
    const first = await turns.take(long(), 'a turn');
    first();
    first();
    await turns.take(long(), 'a turn');
    await expect(turns.take(soon(), 'a turn')).rejects.toMatchObject({ code: 'TIMEOUT', waitedFor: 'a turn' });
  });

  it('passes over whoever has given up: by the deadline, by the signal', async () => {
    const turns = new Turns(systemClock, 1);
    const first = await turns.take(long(), 'a turn');
    const abort = new AbortController();
    const late = turns.take(soon(), 'a turn');
    const aborted = turns.take(long(), 'a turn', abort.signal);
    const last = turns.take(long(), 'a turn');
    await expect(late).rejects.toMatchObject({ budget: 'budget' });
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await expect(turns.take(long(), 'a turn', abort.signal)).rejects.toThrow('enough');
    first();
    (await last)();
    (await turns.take(long(), 'a turn'))();
  });
});
