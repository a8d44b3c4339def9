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
