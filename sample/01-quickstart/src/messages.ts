/** Topics of this sample. */
export const ORDERS_PLACED = 'orders.placed';
export const ORDERS_PRICE = 'orders.price';

/** Told on {@link ORDERS_PLACED}. */
export interface Order {
  readonly id: number;
  readonly sku: string;
  readonly quantity: number;
}

/** Asked on {@link ORDERS_PRICE}. */
export interface PriceQuery {
  readonly sku: string;
  readonly quantity: number;
}

/** Answered. */
export interface Quote {
  readonly sku: string;
  readonly total: number;
}
