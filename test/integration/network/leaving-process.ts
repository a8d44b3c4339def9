// Run by process-exit.spec.ts in a process of its own, which has to end by itself: it is given an address, the
// connection options as JSON and the name of what to do, and prints what came of it.
import { Metadata } from '../../../lib/core/protocol/index.js';
import {
  BrokerConnection,
  BrokerConnectionBundle,
  ConnectionConfig,
  ConnectionPool,
} from '../../../lib/core/network/index.js';

const [, , address = '', options = '{}', deed = ''] = process.argv;
const config = ConnectionConfig.from(JSON.parse(options));
const metadata = { topics: [], allowAutoTopicCreation: false };

const deeds: Record<string, () => Promise<unknown>> = {
  'close a connection': async () => {
    const connection = await BrokerConnection.connect(address, config);
    await connection.sendRequest(Metadata, metadata);
    return await connection.close();
  },
  'close a bundle': async () => {
    const bundle = await BrokerConnectionBundle.connect(address, config.with({ connectionsPerBroker: 3 }));
    await bundle.select().sendRequest(Metadata, metadata);
    return await bundle.close();
  },
  'close a pool': async () => {
    const pool = new ConnectionPool(config);
    for (const purpose of ['data', 'fetch:a', 'coordination:a'] as const) {
      await (await pool.getConnection(address, purpose)).sendRequest(Metadata, metadata);
    }
    return await pool.close();
  },
  'fail to connect': async () => {
    const pool = new ConnectionPool(config.with({ connectTimeoutMs: 2_000 }));
    const error = await pool.getConnection(address).then(
      () => new Error('was connected'),
      (reason: Error) => reason,
    );
    return { failed: error.name };
  },
};

console.log(JSON.stringify(await deeds[deed]?.()));
