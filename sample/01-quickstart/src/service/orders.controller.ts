import { Controller, Inject } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EventPattern, MessagePattern, OnFailure } from 'nestjs-krafka';
import { ORDERS_PLACED, ORDERS_PRICE, type Order, type PriceQuery, type Quote } from '../messages.js';
import { OrdersService } from './orders.service.js';

@Controller()
export class OrdersController {
  constructor(@Inject(OrdersService) private readonly orders: OrdersService) {}

  @EventPattern(ORDERS_PLACED)
  @OnFailure({ retries: 5, backoffMs: 100, then: 'dead-letter' })
  placed(@Payload() order: Order): void {
    this.orders.place(order);
  }

  @MessagePattern(ORDERS_PRICE)
  price(@Payload() query: PriceQuery): Quote {
    return this.orders.price(query);
  }
}
