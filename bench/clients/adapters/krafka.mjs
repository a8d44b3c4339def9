import { Krafka } from '../../../dist/core/index.js';

/** krafka at the settings asked for. */
export async function producer({
  brokers,
  idempotent,
  compression,
  lingerMs = 0,
  batchSize,
  connectionsPerBroker = 1,
}) {
  const krafka = new Krafka({ brokers, clientId: 'bench', connection: { connectionsPerBroker } });
  const own = krafka.producer({ idempotent, compression, lingerMs, batchSize });
  return {
    send: (record) => own.send(record),
    sendBatch: (records) => own.sendAll(records),
    close: () => krafka.close(),
  };
}
