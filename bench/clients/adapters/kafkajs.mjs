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
