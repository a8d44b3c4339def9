import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaError } from '../../core/support/index.js';
import { whereIs, type Delivery, type Tenure } from './delivery.js';

/**
 * What becomes of a record that no handler of its topic is for: a topic may carry types that this application has no business
 * with, which is no error unless it is said to be one. Settles when the record is done, at once where it is left out.
 */
export function deliverUnmatched(
  delivery: Delivery,
  record: ConsumerRecord,
  partition: Tenure,
): Promise<void> | undefined {
  delivery.counts.unmatched += 1;
  if (delivery.unmatched === 'dead-letter') return bury(delivery, record, partition);
  delivery.ports.logger.debug('no handler of its topic is for this record', { record: whereIs(record) });
  return undefined;
}

async function bury(delivery: Delivery, record: ConsumerRecord, partition: Tenure): Promise<void> {
  const error = new KrafkaError(`no handler of '${record.topic}' is for this record`, { code: 'UNMATCHED' });
  await delivery.deadLetters.publish(record, { groupId: delivery.groupId, error }, partition.signal);
  delivery.counts.deadLetters += 1;
}
