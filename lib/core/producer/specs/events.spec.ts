import type { ProducerEvents } from '../events.js';
import type { Producer } from '../producer.js';
import { fakeWorld, watch } from '../spec-support/fake-cluster.js';

const record = (value: string, partition = 0): { topic: string; partition: number; value: string } => ({
  topic: 't',
  partition,
  value,
});

/** What a producer tells of, by name. */
function heard(producer: Producer): [name: string, payload: object][] {
  const told: [string, object][] = [];
  const names: readonly (keyof ProducerEvents)[] = [
    'delivered',
    'retrying',
    'failed',
    'split',
    'identity',
    'transaction',
  ];
  for (const name of names) producer.events.on(name, (payload) => told.push([name, payload]));
  return told;
}

describe('progress events', () => {
  it('come once a batch, never once a record', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, idempotent: false });
    const told = heard(producer);
    broker.onProduce = (produce) => produce.answer({ baseOffset: 7 });
    void producer.sendAll(Array.from({ length: 1_000 }, (_, index) => record(String(index))));
    await clock.settle();
    expect(told).toMatchObject([
      ['delivered', { topic: 't', partition: 0, records: 1_000, attempts: 1, baseOffset: 7 }],
    ]);
  });

  it('tell of the identity, of each retry with its reason and its pause, and of the end', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const told = heard(producer);
    let tries = 0;
    broker.onProduce = (produce) => produce.answer(++tries === 1 ? 'NOT_ENOUGH_REPLICAS' : { baseOffset: 0 });
    void producer.send(record('a'));
    await clock.settle();
    await clock.advance(200);
    expect(told).toMatchObject([
      ['identity', { producerEpoch: 0 }],
      [
        'retrying',
        { records: 1, attempts: 1, error: { code: 'NOT_ENOUGH_REPLICAS' }, afterMs: expect.any(Number) as number },
      ],
      ['delivered', { records: 1, attempts: 2 }],
    ]);
  });

  it('tell of a batch that failed for good', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, idempotent: false });
    const told = heard(producer);
    broker.onProduce = (produce) => produce.answer('TOPIC_AUTHORIZATION_FAILED');
    const sent = watch(producer.sendAll([record('a'), record('b')]));
    await clock.settle();
    expect(sent.state).toBe('rejected');
    expect(told).toMatchObject([
      ['failed', { records: 2, attempts: 1, error: { code: 'TOPIC_AUTHORIZATION_FAILED' } }],
    ]);
  });

  it('tell of a batch that goes on as several', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, idempotent: false });
    const told = heard(producer);
    broker.onProduce = (produce) => {
      const { recordCount } = produce.batches[0]!.header;
      produce.answer(recordCount > 1 ? 'MESSAGE_TOO_LARGE' : { baseOffset: 0 });
    };
    void producer.sendAll([record('a'), record('b')]);
    for (let round = 0; round < 5; round++) await clock.settle();
    expect(told.map(([name]) => name)).toEqual(['split', 'delivered', 'delivered']);
    expect(told[0]).toMatchObject(['split', { records: 2, into: 2 }]);
  });

  it('cost their senders nothing when a listener throws', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    let called = 0;
    producer.events.on('delivered', () => {
      called++;
      throw new Error('the listener failed');
    });
    broker.onProduce = (produce) => produce.answer({ baseOffset: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    expect(sent.value).toMatchObject({ offset: 0 });
    expect(called).toBe(1);
  });
});
