import type { Krafka } from '../../../lib/core/index.js';

/** The values that a read_committed consumer gets of partition 0, up to a record that is written for that purpose. */
export async function committedValues(krafka: Krafka, topic: string): Promise<(string | undefined)[]> {
  const witness = krafka.producer({ lingerMs: 0 });
  await witness.send({ topic, partition: 0, value: 'the end' });
  await witness.close();
  const consumer = krafka.consumer({
    assignments: [{ topic, partition: 0, offset: 'earliest' }],
    isolationLevel: 'read_committed',
  });
  const values: (string | undefined)[] = [];
  for await (const record of consumer) {
    const value = record.value?.toString();
    if (value === 'the end') break;
    values.push(value);
  }
  await consumer.close();
  return values;
}
