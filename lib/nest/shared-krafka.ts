import type { Admin } from '../core/admin/index.js';
import { Consumer, type ConsumerOptions } from '../core/consumer/index.js';
import { Krafka } from '../core/index.js';
import { ConnectionConfig, systemNetworkPorts, type NetworkPorts } from '../core/network/index.js';
import type { Producer } from '../core/producer/index.js';
import { under, type KrafkaSettings } from './options.js';
import { Topics } from './topics.js';

/** What of the settings makes the core's objects. */
export type CoreSettings = Pick<KrafkaSettings, 'brokers' | 'clientId' | 'connection' | 'producer' | 'logger'> &
  Partial<Pick<KrafkaSettings, 'topics' | 'transactions'>>;

/** How brokers are connected to, as the settings say. @throws KrafkaConfigError with the path of the option at fault */
export const connectionConfigOf = ({ connection, clientId }: CoreSettings): ConnectionConfig => {
  const config = under('connection', () => ConnectionConfig.from(connection));
  return clientId === undefined ? config : config.with({ clientId });
};

/** One cluster as servers and clients of an application share it: one pool, one metadata, one producer, one admin. */
export class SharedKrafka {
  readonly krafka: Krafka;
  readonly producer: Producer;
  readonly admin: Admin;
  readonly topics: Topics;
  readonly ports: NetworkPorts;
  readonly #users: { close(): Promise<void> }[] = [];
  #closing: Promise<void> | undefined;

  /** @throws KrafkaConfigError with the path of the option at fault */
  constructor(
    settings: CoreSettings,
    config: ConnectionConfig = connectionConfigOf(settings),
    ports?: Partial<NetworkPorts>,
  ) {
    this.ports = { ...systemNetworkPorts, ...ports, logger: settings.logger };
    const { brokers, logger, transactions } = settings;
    this.krafka = new Krafka({ brokers, connection: config, logger, transactions }, this.ports);
    this.producer = under('producer', () => this.krafka.producer(settings.producer));
    this.admin = this.krafka.admin();
    this.topics = new Topics({
      cluster: this.krafka.cluster,
      admin: this.admin,
      declared: settings.topics ?? [],
      ports: this.ports,
      connectTimeoutMs: config.connectTimeoutMs,
    });
  }

  /** A consumer of this cluster. @throws KrafkaConfigError with the path of the option at fault */
  consumer(options: ConsumerOptions): Consumer {
    return under('consumer', () => this.krafka.consumer(options));
  }

  /** Checks how a server would read, before it does. @throws KrafkaConfigError with the path of the option at fault */
  checkConsumer(options: ConsumerOptions, path = 'consumer'): void {
    if (Object.keys(options).length === 0) return;
    under(path, () => new Consumer(this.krafka.cluster, options, this.ports));
  }

  /** Has `user` closed before the core is: users are closed one after the other, in the order of these calls. */
  closeFirst<User extends { close(): Promise<void> }>(user: User): User {
    this.#users.push(user);
    return user;
  }

  /** Closes what uses the core, then the core: what was sent is delivered first. Calling it again waits for the same end. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For Nest: declared topics are there before anybody produces to them. */
  async onApplicationBootstrap(): Promise<void> {
    await this.topics.createDeclared();
  }

  /** For Nest: this comes after servers are closed and after every other hook that may still want to send. */
  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    for (const user of this.#users) {
      await user.close().catch((error: unknown) => this.ports.logger.error('closing went wrong', { error }));
    }
    await this.krafka.close();
  }
}
