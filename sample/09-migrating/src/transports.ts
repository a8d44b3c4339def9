import { Transport, type ClientProviderOptions, type MicroserviceOptions } from '@nestjs/microservices';
import { KrafkaClient, KrafkaServer } from 'nestjs-krafka';

/** What an application says of its transport: all that a migration touches. */
export interface TransportChoice {
  readonly server: (brokers: string, groupId: string) => MicroserviceOptions;
  readonly client: (brokers: string) => ClientProviderOptions;
}

export const before: TransportChoice = {
  server: (brokers, groupId) => ({
    transport: Transport.KAFKA,
    options: {
      client: { clientId: 'orders', brokers: brokers.split(','), logLevel: 0 },
      // Nest appends '-server' to this ...
      consumer: { groupId },
      subscribe: { fromBeginning: true },
    },
  }),
  client: (brokers) => ({
    name: 'ORDERS',
    transport: Transport.KAFKA,
    options: {
      client: { clientId: 'caller', brokers: brokers.split(','), logLevel: 0 },
      consumer: { groupId: 'caller' },
    },
  }),
};

export const after: TransportChoice = {
  server: (brokers, groupId) => ({
    // ... and this is the group as it is: the same one needs the suffix.
    strategy: new KrafkaServer({
      brokers,
      clientId: 'orders',
      consumer: { groupId: `${groupId}-server`, fromBeginning: true },
    }),
  }),
  client: (brokers) => ({ name: 'ORDERS', customClass: KrafkaClient, options: { brokers, clientId: 'caller' } }),
};
