import { Krafka, type ProducerOptions, type RecordMetadata } from '../../../lib/core/index.js';
import { seededRandom } from '../../../lib/core/support/index.js';
import { EmbeddedBroker } from '../../../lib/testing/index.js';

const PARTITIONS = 6;

/** Sends numbered records while `trouble` is made now and then, and holds the log against what the senders were told. */
async function keepLedger(
  options: ProducerOptions & { readonly connectionsPerBroker?: number },
  trouble: (broker: EmbeddedBroker, topic: string, random: () => number) => Promise<void> | void,
): Promise<{ retries: number }> {
  const { connectionsPerBroker = 1, ...producerOptions } = options;
  const broker = await EmbeddedBroker.start({ brokers: 3, topics: { ledger: PARTITIONS } });
  const krafka = new Krafka({ brokers: broker.bootstrap, connection: { connectionsPerBroker } });
  const producer = krafka.producer({ lingerMs: 0, batchSize: 4_000, ...producerOptions });
  const random = seededRandom(7);
  const sent: Promise<RecordMetadata>[] = [];
  for (let round = 0; round < 16; round++) {
    for (let index = 0; index < 500; index++) {
      const value = String(sent.length);
      sent.push(producer.send({ topic: 'ledger', partition: sent.length % PARTITIONS, value }));
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (round % 4 === 3) await trouble(broker, 'ledger', () => random.next());
  }
  const outcomes = await Promise.all(sent);
  const log = broker.records('ledger');
  const at = new Map(log.map(({ partition, offset, value }) => [`${partition}@${offset}`, String(value)]));
  outcomes.forEach(({ partition, offset }, index) => {
    if (offset >= 0) expect(at.get(`${partition}@${offset}`)).toBe(String(index));
  });
  expect(log).toHaveLength(sent.length);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const numbers = broker.records('ledger', partition).map(({ value }) => Number(value));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
  }
  const { retries, buffer, incompleteBatches } = producer.stats();
  expect(buffer.used).toBe(0);
  expect(incompleteBatches).toBe(0);
  await krafka.close();
  await broker.close();
  return { retries };
}

describe('eight thousand numbered records arrive once each, in order, each acknowledged where it is', () => {
  it('while answers are lost after the records were written', async () => {
    const { retries } = await keepLedger({}, (broker) => {
      broker.faults.add({ api: 'Produce', fault: { disconnect: 'after' }, times: 2 });
    });
    expect(retries).toBeGreaterThan(0);
  });

  it('while leaders move', async () => {
    const { retries } = await keepLedger({}, (broker, topic, random) => {
      for (let moves = 0; moves < 3; moves++) {
        const [partition, nodeId] = [Math.floor(random() * PARTITIONS), broker.nodeIds[Math.floor(random() * 3)]];
        broker.moveLeader(topic, partition, nodeId as number);
      }
    });
    expect(retries).toBeGreaterThan(0);
  });

  it('while connections are killed, over several sockets a broker', async () => {
    await keepLedger({ connectionsPerBroker: 3 }, (broker) => broker.killConnections());
  });

  it('while nodes stop and come back', async () => {
    await keepLedger({}, async (broker, _topic, random) => {
      const nodeId = broker.nodeIds[Math.floor(random() * 3)] as number;
      await broker.stopNode(nodeId);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await broker.restartNode(nodeId);
    });
  });

  it.each(['NOT_ENOUGH_REPLICAS', 'NOT_LEADER_OR_FOLLOWER', 'REQUEST_TIMED_OUT', 'KAFKA_STORAGE_ERROR'] as const)(
    'while brokers answer %s',
    async (error) => {
      const { retries } = await keepLedger({}, (broker) => {
        broker.faults.add({ api: 'Produce', fault: { error }, times: 3 });
      });
      expect(retries).toBeGreaterThan(0);
    },
  );

  it('while answers are cut short, with compressed batches', async () => {
    const { retries } = await keepLedger({ compression: 'lz4', batchSize: 16_000 }, (broker) => {
      broker.faults.add({ api: 'Produce', fault: { cutAt: 7 }, times: 2 });
    });
    expect(retries).toBeGreaterThan(0);
  });

  it('while an answer does not come, and the request times out', async () => {
    const { retries } = await keepLedger({ requestTimeoutMs: 300 }, (broker) => {
      broker.faults.add({ api: 'Produce', fault: { silence: 'after' } });
    });
    expect(retries).toBeGreaterThan(0);
  });
});
