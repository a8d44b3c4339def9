import type { KafkaOptions } from '@nestjs/microservices';
import type { TestCluster } from './test-cluster.js';

type BuiltInOptions = NonNullable<KafkaOptions['options']>;
type BuiltInClientOptions = NonNullable<BuiltInOptions['client']>;

/** How Nest's own Kafka transport, which speaks through kafkajs, is told of a cluster. */
export const builtInOptions = (cluster: TestCluster, groupId: string): BuiltInOptions => ({
  client: {
    brokers: cluster.bootstrap.split(','),
    // Where the cluster asks for them, our options have the shape of theirs. kafkajs writes into what it is given.
    ssl: structuredClone(cluster.connection.tls) as BuiltInClientOptions['ssl'],
    sasl: structuredClone(cluster.connection.sasl) as BuiltInClientOptions['sasl'],
    logCreator: () => () => undefined,
    retry: { retries: 2 },
  },
  // Closing waits for the fetch that the broker holds.
  consumer: { groupId, sessionTimeout: 10_000, maxWaitTimeInMs: 100 },
  subscribe: { fromBeginning: true },
});
