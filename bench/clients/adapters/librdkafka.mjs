/** librdkafka's binding through its KafkaJS-style API; absent where it was not built (peers/build-librdkafka.sh). */
export async function producer({ brokers, idempotent, compression, lingerMs }) {
  let library;
  try {
    library = (await import('@confluentinc/kafka-javascript')).default;
  } catch {
    return undefined;
  }
  const kafka = new library.KafkaJS.Kafka({ 'bootstrap.servers': brokers, log_level: 0 });
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
