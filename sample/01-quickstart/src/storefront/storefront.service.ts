import { Inject, Injectable } from '@nestjs/common';
import { ConnectionPool, KrafkaClient, KrafkaRecordBuilder, type RecordMetadata } from 'nestjs-krafka';
import { firstValueFrom } from 'rxjs';
import { ORDERS_PLACED, ORDERS_PRICE, type Order, type PriceQuery, type Quote } from '../messages.js';

/** What the storefront's side of Kafka has done so far. */
export interface Figures {
  readonly producer: ReturnType<KrafkaClient['producer']['stats']>;
  readonly connections: ReturnType<ConnectionPool['stats']>;
  readonly replies: ReturnType<KrafkaClient['replyStats']>;
}

/** The shop's face: it tells of orders and asks for prices. */
@Injectable()
export class StorefrontService {
  constructor(
    @Inject(KrafkaClient) private readonly krafka: KrafkaClient,
    @Inject(ConnectionPool) private readonly pool: ConnectionPool,
  ) {}

  /** Resolves when Kafka has the order. Orders of one article stay in line: they share a key. */
  place(order: Order): Promise<RecordMetadata> {
    const record = new KrafkaRecordBuilder(order).setKey(order.sku).build();
    return firstValueFrom(this.krafka.emit(ORDERS_PLACED, record));
  }

  /** Resolves with the service's answer. */
  price(query: PriceQuery): Promise<Quote> {
    return firstValueFrom(this.krafka.send<Quote>(ORDERS_PRICE, query));
  }

  figures(): Figures {
    return {
      producer: this.krafka.producer.stats(),
      connections: this.pool.stats(),
      replies: this.krafka.replyStats(),
    };
  }
}
