// oxlint-disable-next-line import/no-unassigned-import -- it only sets up Reflect
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientKafka, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';

// The same application on either transport: what differs is the strategy and the client class. Plain JavaScript, so the
// decorators are called by hand.

/** A module whose controller answers requests on `topic`. */
export function requestModule(topic) {
  class PriceController {
    price(query) {
      return { sku: query.sku, quantity: query.quantity, cents: query.quantity * 250 };
    }
  }
  return moduleOf(PriceController, 'price', MessagePattern(topic));
}

/** A module whose controller is told of events on `topic`; each payload is given to `touch`. */
export function eventModule(topic, touch) {
  class PlacedController {
    async placed(order) {
      touch(order);
    }
  }
  return moduleOf(PlacedController, 'placed', EventPattern(topic));
}

/** A module whose controller is told of many events on `topic` at once. */
export function batchModule(topic, pattern, touch) {
  class AuditController {
    async audit(orders) {
      for (const order of orders) touch(order);
    }
  }
  return moduleOf(AuditController, 'audit', pattern(topic, { maxRecords: 500, maxWaitMs: 50 }));
}

function moduleOf(controller, method, pattern) {
  const { prototype } = controller;
  Controller()(controller);
  Payload()(prototype, method, 0);
  pattern(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
  // oxlint-disable-next-line typescript/no-extraneous-class -- as Nest's modules are
  const application = class {};
  Module({ controllers: [controller] })(application);
  return application;
}

/** The application on the transport asked for, listening. */
export async function listen(module, { transport, brokers, groupId, fromBeginning = false, ...more }) {
  const { connectionsPerBroker = 1, groupProtocol } = more;
  const strategy = transport === 'krafka' ? await ours() : builtIn();
  const app = await NestFactory.createMicroservice(module, { ...strategy, logger: false });
  await app.listen();
  return app;

  async function ours() {
    const { KrafkaServer } = await import('../../../dist/index.js');
    const connection = { connectionsPerBroker };
    return { strategy: new KrafkaServer({ brokers, connection, consumer: { groupId, fromBeginning, groupProtocol } }) };
  }

  function builtIn() {
    const options = { client: { brokers: brokers.split(',') }, consumer: { groupId }, subscribe: { fromBeginning } };
    return { transport: Transport.KAFKA, options };
  }
}

/** A connected client of the transport asked for, which awaits replies of `topic`. */
export async function connect({ transport, brokers, groupId, topic, connectionsPerBroker = 1 }) {
  const client = await made();
  client.subscribeToResponseOf(topic);
  await client.connect();
  return client;

  async function made() {
    if (transport !== 'krafka')
      return new ClientKafka({ client: { brokers: brokers.split(',') }, consumer: { groupId } });
    const { KrafkaClient } = await import('../../../dist/index.js');
    return new KrafkaClient({ brokers, connection: { connectionsPerBroker } });
  }
}
