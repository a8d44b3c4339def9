import type { Admin } from '../core/admin/index.js';
import { Consumer, type ConsumerOptions } from '../core/consumer/index.js';
import { Krafka } from '../core/index.js';
import { ConnectionConfig, systemNetworkPorts, type NetworkPorts } from '../core/network/index.js';
import type { Producer, ProducerOptions } from '../core/producer/index.js';
import type { LetterProducers } from './failure-policy/letter.js';
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

const MIB = 1024 * 1024;
/** The most a broker takes in one request, as it comes (`socket.request.max.bytes` of 100 MiB), with room for what is around it. */
const LARGEST_BYTES = 96 * MIB;
/** Twice the largest, and more: a bound, not what is taken. */
const LARGE_BUFFER_BYTES = 256 * MIB;

/** Settings of a producer with the limits on its side lifted: how large a record may be is up to its topic, as compressed. */
const withoutLimits = ({ maxRequestSize = 0, compression = 'none', accumulator, ...rest }: ProducerOptions) => ({
  ...rest,
  maxRequestSize: Math.max(maxRequestSize, LARGEST_BYTES),
  compression: compression === 'none' ? ('gzip' as const) : compression,
  accumulator: { ...accumulator, bufferMemory: Math.max(accumulator?.bufferMemory ?? 0, LARGE_BUFFER_BYTES) },
});

/** One cluster as servers and clients of an application share it: one pool, one metadata, one producer, one admin. */
export class SharedKrafka {
  readonly krafka: Krafka;
  readonly producer: Producer;
  readonly admin: Admin;
  readonly topics: Topics;
  readonly ports: NetworkPorts;
  /** For what is lost when it isn't written: the producer, and one for what is too large for it. */
  readonly letterProducers: LetterProducers;
  #largeProducer: Producer | undefined;
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
    this.letterProducers = {
      usual: this.producer,
      large: () => (this.#largeProducer ??= this.krafka.producer(withoutLimits(settings.producer))),
    };
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

  /** Whether a broker has told of the topic. */
  knows(topic: string): boolean {
    return this.krafka.cluster.metadata.topics.has(topic);
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
