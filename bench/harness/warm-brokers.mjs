import { Krafka } from '../../dist/core/index.js';

/**
 * Writes to a fresh cluster and reads it back for a while, in large batches and in small ones: a broker's first requests
 * take many times as long as its later ones, and whoever is measured first would pay for it.
 */
export async function warmBrokers(brokers, milliseconds) {
  const krafka = new Krafka({ brokers, clientId: 'bench-warm' });
  const topic = `bench-warm-${process.pid}`;
  try {
    await krafka.admin().createTopics([{ name: topic, partitions: 12 }]);
    const consumer = krafka.consumer({ groupId: topic, topics: [topic] });
    const running = consumer.run({ eachBatch: () => undefined });
    await consumer.start();
    const value = Buffer.alloc(100, 'w');
    const ends = performance.now() + milliseconds;
    const writers = [1, 1, 10, 1_000].map(async (size, index) => {
      const producer = krafka.producer({ lingerMs: 0, idempotent: index % 2 === 0 });
      const records = Array.from({ length: size }, (_, key) => ({ topic, key: `${key}`, value }));
      while (performance.now() < ends) await producer.sendAll(records);
    });
    await Promise.all(writers);
    await consumer.close();
    await running;
    await krafka.admin().deleteTopics([topic]);
  } finally {
    await krafka.close();
  }
}
