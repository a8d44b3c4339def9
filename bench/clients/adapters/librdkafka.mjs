/** librdkafka's binding through its KafkaJS-style API; absent where it was not built (peers/build-librdkafka.sh). */
async function connect({ brokers, ...more }) {
  let library;
  try {
    library = (await import('@confluentinc/kafka-javascript')).default;
  } catch {
    return { absent: 'not here: peers/build-librdkafka.sh builds it' };
  }
  return new library.KafkaJS.Kafka({ 'bootstrap.servers': brokers, log_level: 0, ...more });
}

export async function producer({ brokers, idempotent, compression, lingerMs }) {
  const kafka = await connect({ brokers });
  if (kafka.absent !== undefined) return kafka;
  const own = kafka.producer({
    acks: -1,
    'enable.idempotence': idempotent,
    'compression.codec': compression,
    'linger.ms': lingerMs ?? 1,
    'queue.buffering.max.messages': 1_000_000,
  });
  await own.connect();
  return {
    send: ({ topic, key, value }) => own.send({ topic, messages: [{ key, value }] }),
    sendBatch: (records) => own.send({ topic: records[0].topic, messages: records }),
    close: () => own.disconnect(),
  };
}

export async function consume({ brokers, topic, groupId, mode, touch, assigned }) {
  const kafka = await connect({ brokers });
  if (kafka.absent !== undefined) return kafka;
  const own = kafka.consumer({
    'group.id': groupId,
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': true,
    // No bound: the most it hands over at once.
    'js.consumer.max.batch.size': -1,
    rebalance_cb: assigned,
  });
  await own.connect();
  await own.subscribe({ topics: [topic] });
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
  const kafka = await connect({ brokers });
  if (kafka.absent !== undefined) return kafka;
  const own = kafka.producer({ acks: -1, 'linger.ms': 0 });
  const consumer = kafka.consumer({ 'group.id': groupId, 'auto.offset.reset': 'latest', 'fetch.wait.max.ms': 500 });
  await Promise.all([own.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async ({ message }) => received(message.value) });
  return {
    send: (value) => own.send({ topic, messages: [{ value }] }),
    close: () => Promise.all([consumer.disconnect(), own.disconnect()]),
  };
}
