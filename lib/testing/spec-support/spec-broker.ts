import type { ApiName } from '../../core/protocol/index.js';
import { seededRandom } from '../../core/support/index.js';
import { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker.options.js';
import { HandClock } from './hand-clock.js';
import { WireClient } from './wire-client.js';

/** An embedded broker on a clock that the spec moves, and the clients that the spec has opened. */
export class SpecBroker {
  readonly #clients: WireClient[] = [];

  private constructor(
    readonly broker: EmbeddedBroker,
    readonly clock: HandClock,
  ) {}

  static async start(options: Omit<EmbeddedBrokerOptions, 'clock' | 'random'> = {}): Promise<SpecBroker> {
    const clock = new HandClock();
    return new SpecBroker(await EmbeddedBroker.start({ ...options, clock, random: seededRandom(1) }), clock);
  }

  async connect(nodeId = 1, clientId = 'spec'): Promise<WireClient> {
    const client = await WireClient.connect(this.broker.address(nodeId), clientId);
    this.#clients.push(client);
    return client;
  }

  /** Waits until so many requests of an API have come in all. */
  async received(api: ApiName, count: number): Promise<void> {
    await until(() => this.broker.requests.count(api) >= count);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.broker.close();
  }
}

/** Waits, turn by turn of the event loop, until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => void setImmediate(resolve));
}
