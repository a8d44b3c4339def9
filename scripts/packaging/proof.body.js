// What every application of the packaging proof does: it boots, answers a request, hears an event and is healthy. Plain
// JavaScript, so that nothing is compiled. `modules` is what the ESM and the CommonJS shell have loaded, each in its own way.
async function prove(modules, report) {
  const { NestFactory } = modules.core;
  const { Controller, Module, BadRequestException } = modules.common;
  const { Ctx, KafkaContext, Payload } = modules.microservices;
  const { EventPattern, KrafkaClient, KrafkaModule, KrafkaServer, MessagePattern, OnFailure } = modules.krafka;
  const { KrafkaHealthIndicator, KrafkaHealthModule } = modules.health;
  const { EmbeddedBroker } = modules.testing;
  const { firstValueFrom, lastValueFrom, of, toArray } = modules.rxjs;

  const seen = [];
  class Orders {
    price(query, context) {
      return of({ total: query.quantity * 3, isKafka: context instanceof KafkaContext }, 'end');
    }
    placed(order) {
      seen.push(order);
    }
    refused() {
      throw new BadRequestException('no good');
    }
  }
  Controller()(Orders);
  const decorate = (name, ...decorators) => {
    const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, name);
    for (const one of decorators.toReversed()) one(Orders.prototype, name, descriptor);
  };
  decorate('price', MessagePattern('price'));
  Payload()(Orders.prototype, 'price', 0);
  Ctx()(Orders.prototype, 'price', 1);
  decorate('placed', EventPattern('placed'));
  decorate('refused', EventPattern('refused'), OnFailure({ retries: 0 }));

  const broker = await EmbeddedBroker.start();
  class App {}
  Module({
    imports: [
      KrafkaModule.forRoot({
        brokers: broker.bootstrap,
        consumer: { groupId: 'proof', fromBeginning: true },
        topics: [{ name: 'price' }, { name: 'placed' }, { name: 'refused' }],
      }),
      KrafkaHealthModule,
    ],
    controllers: [Orders],
  })(App);
  const app = await NestFactory.createMicroservice(App, {
    ...KrafkaServer.fromModule(),
    logger: false,
    abortOnError: false,
  });
  await app.listen();
  const client = app.get(KrafkaClient);
  const replies = await lastValueFrom(client.send('price', { quantity: 4 }).pipe(toArray()));
  await firstValueFrom(client.emit('placed', { id: 1 }));
  await firstValueFrom(client.emit('refused', { id: 2 }));
  const deadLetters = () => {
    try {
      return broker.records('refused-dlt').length;
    } catch {
      return 0; // not created yet
    }
  };
  for (let tries = 0; tries < 500 && (seen.length === 0 || deadLetters() === 0); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const health = await app.get(KrafkaHealthIndicator, { strict: false }).isReady('kafka');
  const facts = { replies, seen, deadLetters: deadLetters(), health: health.kafka.status };
  await app.close();
  await broker.close();
  const expected = { replies: [{ total: 12, isKafka: true }, 'end'], seen: [{ id: 1 }], deadLetters: 1, health: 'up' };
  if (JSON.stringify(facts) !== JSON.stringify(expected))
    throw new Error(`not as it should be: ${JSON.stringify(facts)}`);
  report(`proved on Node ${process.version}`);
}
