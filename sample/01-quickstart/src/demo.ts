import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { startClient, startService, type RunningClient, type RunningService } from './index.js';
import { Report } from './report.js';

const EVENTS = 1_000;
const REQUESTS = 200;
const ARTICLES = ['tea', 'coffee', 'sugar', 'milk', 'honey', 'lemon', 'mint', 'ginger', 'cocoa', 'vanilla'];

const article = (index: number): string => ARTICLES[index % ARTICLES.length] as string;

/** Runs the shop once and says what happened. Rejects when something did not happen as it should. */
async function demo(): Promise<void> {
  const report = new Report();
  const given = process.env['KAFKA_BROKERS'];
  const broker = given ? undefined : await EmbeddedBroker.start();
  const bootstrap = given || (broker as EmbeddedBroker).bootstrap;
  report.title('nestjs-krafka: an orders service and a storefront, on', given ? bootstrap : 'an embedded broker');
  let service: RunningService | undefined;
  let client: RunningClient | undefined;
  try {
    service = await startService(bootstrap);
    client = await startClient(bootstrap);
    await placeOrders(report, service, client);
    await askForPrices(report, client);
    const { producer, connections } = client.storefront.figures();
    const plainBytes = producer.bytes / producer.compressionRatio;
    report.section('What the storefront put on the wire');
    report.line(
      'records',
      producer.records,
      `in ${producer.batches} batches, ${producer.recordsPerBatch.toFixed(1)} each`,
    );
    report.line(
      'bytes',
      producer.bytes,
      `lz4 saved ${Math.round(plainBytes - producer.bytes)} of ${Math.round(plainBytes)}`,
    );
    report.line('Produce requests', producer.requests, `${producer.retries} batches had to be sent again`);
    report.section("The storefront's connections");
    report.line('high priority', connections.highPriorityCount, 'heartbeats, metadata, coordinators: first, always');
    report.line('normal priority', connections.normalPriorityCount, 'records out and in');
    report.line('bypasses', connections.bypassCount, 'written at once, without standing in a queue');
    report.section('Health, as terminus serves it');
    report.json(await service.health());
  } finally {
    await client?.close();
    await service?.close();
    await broker?.close();
  }
  report.end();
}

async function placeOrders(report: Report, service: RunningService, { storefront }: RunningClient): Promise<void> {
  const from = performance.now();
  const placed = Array.from({ length: EVENTS }, (_, id) =>
    storefront.place({ id, sku: article(id), quantity: 1 + (id % 3) }),
  );
  const acknowledged = (await Promise.all(placed)).length;
  await until(() => service.orders.orders >= EVENTS, 'every order to be handled');
  const ms = performance.now() - from;
  report.section('Events: orders.placed');
  report.line('emitted', EVENTS, `${acknowledged} acknowledged by the broker`);
  report.line('handled', service.orders.orders, `by @EventPattern, all within ${ms.toFixed(0)} ms of the first`);
  if (service.orders.orders !== EVENTS) throw new Error(`${service.orders.orders} orders handled, ${EVENTS} placed`);
}

async function askForPrices(report: Report, { storefront }: RunningClient): Promise<void> {
  const times: number[] = [];
  let total = 0;
  for (let index = 0; index < REQUESTS; index++) {
    const query = { sku: article(index), quantity: 1 + (index % 5) };
    const from = performance.now();
    const quote = await storefront.price(query);
    times.push(performance.now() - from);
    if (quote.sku !== query.sku) throw new Error(`asked for ${query.sku}, answered for ${quote.sku}`);
    total += quote.total;
  }
  // The first request also opens the reply partition: it is told apart.
  const first = times[0] as number;
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(times.length * share)] as number).toFixed(2);
  report.section('Requests: orders.price');
  report.line('asked', REQUESTS, `one after another; ${times.length} answered, for ${total} in all`);
  report.line('p50', `${at(0.5)} ms`, `p99 ${at(0.99)} ms`);
  report.line('the first', `${first.toFixed(1)} ms`, 'reply topic made and assigned, no group to join');
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const ends = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > ends) throw new Error(`waited 30 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

demo().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
