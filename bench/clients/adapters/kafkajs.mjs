import { CompressionTypes, Kafka, Partitioners, logLevel } from 'kafkajs';

/** kafkajs, which knows neither linger nor a codec but gzip. */
export async function producer({ brokers, idempotent, compression }) {
  if (!['none', 'gzip'].includes(compression)) return { absent: `has no ${compression}` };
  const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench', logLevel: logLevel.ERROR });
  const own = kafka.producer({
    idempotent,
    createPartitioner: Partitioners.DefaultPartitioner,
    ...(idempotent ? { maxInFlightRequests: 5 } : {}),
  });
  await own.connect();
  const codec = compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None;
  return {
    send: ({ topic, key, value }) => own.send({ topic, acks: -1, compression: codec, messages: [{ key, value }] }),
    sendBatch: (records) => own.send({ topic: records[0].topic, acks: -1, compression: codec, messages: records }),
    close: () => own.disconnect(),
  };
}

export async function consume({ brokers, topic, groupId, mode, touch, assigned, compression }) {
  if (!['none', 'gzip'].includes(compression)) return { absent: `has no ${compression}` };
  const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench', logLevel: logLevel.ERROR });
  const own = kafka.consumer({ groupId });
  own.on(own.events.GROUP_JOIN, assigned);
  await own.connect();
  await own.subscribe({ topic, fromBeginning: true });
  await own.run(
    mode === 'batch'
      ? {
          eachBatch: async ({ batch }) => {
            for (const message of batch.messages) touch(message.value);
          },
        }
      : { eachMessage: async ({ message }) => touch(message.value) },
  );
  return { close: () => own.disconnect() };
}

export async function echo({ brokers, topic, groupId, received }) {
  const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench', logLevel: logLevel.ERROR });
  const own = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  const consumer = kafka.consumer({ groupId });
  await Promise.all([own.connect(), consumer.connect()]);
  await consumer.subscribe({ topic });
  await consumer.run({ eachMessage: async ({ message }) => received(message.value) });
  return {
    send: (value) => own.send({ topic, acks: -1, messages: [{ value }] }),
    close: () => Promise.all([consumer.disconnect(), own.disconnect()]),
  };
}
