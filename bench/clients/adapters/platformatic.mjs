import { Producer } from '@platformatic/kafka';

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
