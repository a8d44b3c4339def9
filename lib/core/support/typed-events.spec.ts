import { TypedEvents } from './typed-events.js';

describe('TypedEvents', () => {
  it('calls every listener until it is taken away again', () => {
    const events = new TypedEvents<{ moved: number }>();
    const heard: number[] = [];
    const stop = events.on('moved', (to) => heard.push(to));
    events.emit('moved', 1);
    stop();
    events.emit('moved', 2);
    expect(heard).toEqual([1]);
    expect(events.has('moved')).toBe(false);
  });

  it('treats an event called error as any other', () => {
    expect(() => new TypedEvents<{ error: Error }>().emit('error', new Error('unheard'))).not.toThrow();
  });

  it('reports a listener that throws and goes on with the others', () => {
    const reported: unknown[] = [];
    const events = new TypedEvents<{ moved: number }>((name, error) => reported.push([name, String(error)]));
    const heard: number[] = [];
    events.on('moved', () => {
      throw new Error('bad listener');
    });
    events.on('moved', (to) => heard.push(to));
    events.emit('moved', 1);
    expect(heard).toEqual([1]);
    expect(reported).toEqual([['moved', 'Error: bad listener']]);
  });
});
