import { Consumer, Producer } from '@platformatic/kafka';

/** @platformatic/kafka, which has no linger. */
export async function producer({ brokers, idempotent, compression }) {
  const own = new Producer({
    clientId: 'bench',
    bootstrapBrokers: brokers.split(','),
    idempotent,
    ...(compression === 'none' ? {} : { compression }),
    ...(idempotent ? {} : { acks: -1 }),
  });
  const text = (record) => ({ topic: record.topic, key: Buffer.from(record.key), value: record.value });
  return {
    send: (record) => own.send({ messages: [text(record)], acks: -1 }),
    sendBatch: (records) => own.send({ messages: records.map(text), acks: -1 }),
    close: () => own.close(),
  };
}

export async function consume({ brokers, topic, groupId, mode, touch, assigned }) {
  const own = new Consumer({ clientId: 'bench', groupId, bootstrapBrokers: brokers.split(',') });
  own.on('consumer:group:join', assigned);
  const stream = await own.consume({ topics: [topic], mode: 'earliest', autocommit: true });
  const handler = async (message) => touch(message.value);
  const failed = new Promise((_, reject) => stream.on('error', reject));
  // It has no batches to hand over.
  if (mode === 'batch') stream.on('data', (message) => touch(message.value));
  else void readAll(stream, handler);
  return { failed, close: () => own.close(true) };
}

async function readAll(stream, handler) {
  for await (const message of stream) await handler(message);
}

export async function echo({ brokers, topic, groupId, received }) {
  const bootstrapBrokers = brokers.split(',');
  const own = new Producer({ clientId: 'bench', bootstrapBrokers });
  const consumer = new Consumer({ clientId: 'bench', groupId, bootstrapBrokers });
  const stream = await consumer.consume({ topics: [topic], mode: 'latest', autocommit: true });
  stream.on('data', (message) => received(message.value));
  return {
    send: (value) => own.send({ messages: [{ topic, value }], acks: -1 }),
    close: () => Promise.all([consumer.close(true), own.close()]),
  };
}
