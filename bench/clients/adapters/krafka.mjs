import { Krafka } from '../../../dist/core/index.js';

/** krafka at the settings asked for. */
export async function producer({
  brokers,
  idempotent,
  compression,
  lingerMs = 0,
  batchSize,
  maxRequestSize,
  connectionsPerBroker = 1,
}) {
  const krafka = new Krafka({ brokers, clientId: 'bench', connection: { connectionsPerBroker } });
  const own = krafka.producer({ idempotent, compression, lingerMs, batchSize, maxRequestSize });
  return {
    send: (record) => own.send(record),
    sendBatch: (records) => own.sendAll(records),
    close: () => krafka.close(),
  };
}

/** Reads a topic from its beginning in a group, commits on: calls `assigned` before it fetches, `touch` with each value. */
export async function consume({ brokers, topic, groupId, mode, touch, assigned }) {
  const krafka = new Krafka({ brokers, clientId: 'bench' });
  const own = krafka.consumer({ groupId, topics: [topic], fromBeginning: true, rebalanceListener: { assigned } });
  const running = own.run(
    mode === 'batch'
      ? {
          eachBatch: ({ records }) => {
            for (const record of records) touch(record.value);
          },
        }
      : { eachRecord: async (record) => touch(record.value) },
  );
  return { failed: running, close: () => krafka.close() };
}

/** One client that sends and receives: resolves once the consumer is at the end of the topic. */
export async function echo({ brokers, topic, groupId, received }) {
  const krafka = new Krafka({ brokers, clientId: 'bench' });
  const own = krafka.producer({ lingerMs: 0 });
  const consumer = krafka.consumer({ groupId, topics: [topic] });
  consumer.run({ eachRecord: (record) => received(record.value) }).catch((error) => {
    throw error;
  });
  await consumer.start();
  return { send: (value) => own.send({ topic, value }), close: () => krafka.close() };
}
