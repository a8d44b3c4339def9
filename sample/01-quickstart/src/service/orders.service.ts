import { Injectable } from '@nestjs/common';
import type { Order, PriceQuery, Quote } from '../messages.js';

/** What the warehouse knows: prices, and how much has been ordered. */
@Injectable()
export class OrdersService {
  readonly #ordered = new Map<string, number>();
  #orders = 0;

  /** How many orders have been placed. */
  get orders(): number {
    return this.#orders;
  }

  /** How many pieces of an article have been ordered. */
  ordered(sku: string): number {
    return this.#ordered.get(sku) ?? 0;
  }

  place({ sku, quantity }: Order): void {
    this.#orders += 1;
    this.#ordered.set(sku, this.ordered(sku) + quantity);
  }

  price({ sku, quantity }: PriceQuery): Quote {
    const each = 100 + Array.from(sku).reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
    return { sku, total: each * quantity };
  }
}
