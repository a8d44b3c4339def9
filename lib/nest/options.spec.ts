import { Transport } from '@nestjs/microservices';
import { KrafkaConfigError, silentLogger } from '../core/support/index.js';
import { checkClientOptions, checkModuleOptions, checkServerOptions, type KrafkaModuleOptions } from './options.js';
import { SharedKrafka } from './shared-krafka.js';
import { jsonSerde } from './wire/serde.js';

function refusalOf(check: () => unknown): KrafkaConfigError {
  try {
    check();
  } catch (error) {
    if (error instanceof KrafkaConfigError) return error;
    throw error;
  }
  throw new Error('the options were taken');
}

describe("A module's options", () => {
  it('need nothing but brokers', () => {
    const settings = checkModuleOptions({ brokers: 'a, b:9093' });
    expect(settings).toMatchObject({
      brokers: ['a:9092', 'b:9093'],
      onFailure: { retries: 3, backoffMs: 200, maxBackoffMs: 10_000, then: 'dead-letter' },
      requestTimeoutMs: 30_000,
      replyTopics: { create: true },
      shutdownTimeoutMs: 10_000,
      topics: [],
      transportId: Transport.KAFKA,
    });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it.each<[Record<string, unknown>, string, string | RegExp]>([
    [{ broker: 'x' }, 'broker', "did you mean 'brokers'?"],
    [{ brokers: [] }, 'brokers', 'at least one'],
    [{ brokers: 7 }, 'brokers', 'got a number'],
    [{ onFailure: { retrys: 1 } }, 'onFailure.retrys', "did you mean 'retries'?"],
    [{ requestTimeoutMs: -1 }, 'requestTimeoutMs', 'from 0 to'],
    [{ topics: [{ name: 'a', partition: 3 }] }, 'topics[0].partition', "did you mean 'partitions'?"],
    [{ topics: [{ name: 'a b' }] }, 'topics[0].name', 'legal topic name'],
    [{ topics: 'orders' }, 'topics', 'must be an array'],
    [{ replyTopics: { create: 'no' } }, 'replyTopics.create', 'true or false'],
    [{ consumer: { topics: ['a'] } }, 'consumer.topics', 'its handlers decide that'],
    [{ consumer: { topicPattern: /a/ } }, 'consumer.topicPattern', 'its handlers decide that'],
    [{ consumer: { keyDeserializer: jsonSerde } }, 'consumer.keyDeserializer', "use the option 'serde'"],
    [{ consumer: { valueDeserializer: jsonSerde } }, 'consumer.valueDeserializer', "use the option 'serde'"],
    [{ consumer: { onUndecodable: 'skip' } }, 'consumer.onUndecodable', "see the option 'onFailure'"],
    [{ consumer: 'orders' }, 'consumer', 'must be an object'],
    [{ producer: { transactionalId: 'orders' } }, 'producer.transactionalId', "see the option 'transactions'"],
    [{ producer: { transactionTimeoutMs: 5 } }, 'producer.transactionTimeoutMs', "see the option 'transactions'"],
    [{ producer: { keySerializer: jsonSerde } }, 'producer.keySerializer', "use the option 'serde'"],
    [{ producer: { valueSerializer: jsonSerde } }, 'producer.valueSerializer', "use the option 'serde'"],
    [{ producer: 'fast' }, 'producer', 'must be an object'],
    [{ transportId: 'kafka' }, 'transportId', "Nest's transports"],
    [{ logger: () => undefined }, 'logger', 'methods debug, info, warn, error'],
    [{ health: true }, 'health', 'is not known'],
  ])('are refused with the path of what is wrong: %p', (options, path, problem) => {
    const refusal = refusalOf(() => checkModuleOptions({ brokers: 'a', ...options }));
    expect(refusal.option).toBe(path);
    expect(refusal.message).toMatch(problem);
  });

  it.each<[Partial<KrafkaModuleOptions>, string]>([
    [{ connection: { maxInFlights: 3 } as object }, 'connection.maxInFlights'],
    [{ connection: { connectionsPerBroker: 0 } }, 'connection.connectionsPerBroker'],
    [{ producer: { lingerMS: 3 } as object }, 'producer.lingerMS'],
    [{ producer: { accumulator: { bufferMemory: -1 } } }, 'producer.accumulator.bufferMemory'],
    [{ consumer: { groupId: 'g', fetchMinBites: 3 } as object }, 'consumer.fetchMinBites'],
    [{ consumer: { groupId: '' } }, 'consumer.groupId'],
    [{ consumer: { sessionTimeoutMs: 10_000 } }, 'consumer.sessionTimeoutMs'],
  ])("are checked down into the core's own: %p", (options, path) => {
    const refusal = refusalOf(() => {
      const settings = checkModuleOptions({ brokers: 'a', logger: silentLogger, ...options });
      new SharedKrafka(settings).checkConsumer(settings.consumer);
    });
    expect(refusal.option).toBe(path);
    expect(refusal.message).toMatch(`Option '${path}' `);
  });

  it('of a client and of a server alone are what each of them uses', () => {
    const ofServer = refusalOf(() => checkClientOptions({ brokers: 'a', consumer: {} }));
    expect(ofServer.option).toBe('consumer');
    expect(ofServer.message).toContain('a client reads its replies without a group');
    const ofClient = refusalOf(() => checkServerOptions({ brokers: 'a', requestTimeoutMs: 1 }));
    expect(ofClient.option).toBe('requestTimeoutMs');
    expect(ofClient.message).toContain('is for clients');
  });
});
