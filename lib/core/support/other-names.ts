/**
 * What options are called elsewhere, or stand elsewhere here: kafkajs, librdkafka, the Java client, Nest's own transport.
 * The name to suggest begins with an option of the object that was given.
 */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  ssl: ['connection.tls', 'tls'],
  tls: ['connection.tls'],
  sasl: ['connection.sasl'],
  connectionTimeout: ['connection.connectTimeoutMs', 'connectTimeoutMs'],
  requestTimeout: ['connection.requestTimeoutMs', 'requestTimeoutMs'],
  connectionsPerBroker: ['connection.connectionsPerBroker'],
  user: ['username'],
  bootstrapServers: ['brokers'],
  maxBlockMs: ['accumulator.maxBlockMs'],
  bufferMemory: ['accumulator.bufferMemory'],
  linger: ['lingerMs'],
  idempotence: ['idempotent'],
  enableIdempotence: ['idempotent'],
  maxInFlightRequests: ['maxInFlight'],
  sessionTimeout: ['sessionTimeoutMs'],
  heartbeatInterval: ['heartbeatIntervalMs'],
  rebalanceTimeout: ['rebalanceTimeoutMs'],
  maxWaitTimeInMs: ['fetchMaxWaitMs'],
  minBytes: ['fetchMinBytes'],
  maxBytes: ['fetchMaxBytes'],
  maxBytesPerPartition: ['maxPartitionFetchBytes'],
  autoOffsetReset: ['offsetReset'],
  rackId: ['rack'],
  partitionsConsumedConcurrently: ['concurrency'],
  partitionAssigners: ['assignors'],
  eachMessage: ['eachRecord'],
  topic: ['name'],
  numPartitions: ['partitions'],
  configEntries: ['configs'],
  // Nest's built-in transport has them one level down.
  client: ['brokers'],
  run: ['consumer'],
  subscribe: ['consumer'],
  send: ['producer'],
  dlq: ['dead-letter'],
  dlt: ['dead-letter'],
  deadLetter: ['dead-letter'],
  retry: ['retry-topics'],
};

/** The name here of what is called `given` elsewhere, if it is one of `known` or stands below one of them. */
export function nameHereOf(given: string, known: readonly string[]): string | undefined {
  if (!Object.hasOwn(OTHER_NAMES, given)) return undefined;
  return OTHER_NAMES[given]?.find((name) => known.includes(name.split('.')[0] as string));
}
