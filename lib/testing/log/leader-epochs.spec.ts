import { LeaderEpochs } from './leader-epochs.js';

describe('LeaderEpochs', () => {
  it('tells where each epoch ends, and of one that wrote nothing where the one before it did', () => {
    const epochs = new LeaderEpochs();
    epochs.begin(2, 10);
    epochs.begin(3, 10);
    epochs.begin(5, 20);
    const endOf = (epoch: number) => epochs.endOf(epoch, 25);
    expect(endOf(0)).toEqual({ epoch: 0, endOffset: 10 });
    expect(endOf(1)).toEqual({ epoch: 0, endOffset: 10 });
    expect(endOf(2)).toEqual({ epoch: 0, endOffset: 10 });
    expect(endOf(3)).toEqual({ epoch: 3, endOffset: 20 });
    expect(endOf(4)).toEqual({ epoch: 3, endOffset: 20 });
    expect(endOf(5)).toEqual({ epoch: 5, endOffset: 25 });
    expect(endOf(6)).toEqual({ epoch: -1, endOffset: -1 });
    expect(endOf(-1)).toEqual({ epoch: -1, endOffset: -1 });
  });

  it('knows which epoch wrote an offset, until it is lost', () => {
    const epochs = new LeaderEpochs();
    epochs.begin(2, 10);
    expect([epochs.epochAt(9), epochs.epochAt(10)]).toEqual([0, 2]);
    epochs.truncate(10);
    epochs.begin(4, 7);
    expect([epochs.epochAt(6), epochs.epochAt(7), epochs.epochAt(10)]).toEqual([0, 4, 4]);
  });
});
