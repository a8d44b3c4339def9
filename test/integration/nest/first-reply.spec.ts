import { Controller } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';
import { MessagePattern } from '../../../lib/index.js';
import type { EmbeddedBroker } from '../../../lib/testing/index.js';
import { NestApps } from '../../support/nest-apps.js';
import { TestCluster } from '../../support/test-cluster.js';

// Real brokers don't tell what they were asked.
const counted = process.env['KAFKA_BROKERS'] ? describe.skip : describe;

counted('The first reply', () => {
  let cluster: TestCluster;
  let broker: EmbeddedBroker;
  let apps: NestApps;

  beforeEach(async () => {
    cluster = await TestCluster.open({ brokers: 1 });
    broker = cluster.embedded as EmbeddedBroker;
    apps = new NestApps(cluster);
  });
  afterEach(async () => {
    await apps.close();
    await cluster.close();
  });

  const served = async (): Promise<string> => {
    const topic = await cluster.newTopic(3);
    broker.createTopic(`${topic}.reply`, 3);

    @Controller()
    class Prices {
      @MessagePattern(topic)
      price(): number {
        return 250;
      }
    }
    await apps.service({ controllers: [Prices] });
    broker.requests.clear();
    return topic;
  };

  it('costs one look at the metadata of both topics, and no group', async () => {
    const topic = await served();
    const { client } = await apps.client();
    expect(await firstValueFrom(client.send(topic, { sku: 'tea' }))).toBe('250');
    const { requests } = broker;
    expect(requests.count('Metadata')).toBe(1);
    expect(requests.count('ListOffsets')).toBe(1);
    expect(requests.count('FindCoordinator') + requests.count('JoinGroup')).toBe(0);
    // One each of the client and of the server, whose first answer this was.
    expect(requests.count('InitProducerId')).toBe(2);
    expect(requests.count('Produce')).toBe(2);
  });

  it('is followed by others that cost two records and no question, commits included', async () => {
    const topic = await served();
    const { client } = await apps.client();
    await firstValueFrom(client.send(topic, { sku: 'tea' }));
    broker.requests.clear();
    for (let count = 0; count < 20; count++) await firstValueFrom(client.send(topic, { sku: 'tea' }));
    const asked = new Set(broker.requests.list().map(({ api }) => api));
    // Heartbeats and commits go by the clock, not by the request.
    expect(broker.requests.count('OffsetCommit')).toBeLessThan(20);
    for (const api of ['Produce', 'Fetch', 'Heartbeat', 'OffsetCommit'] as const) asked.delete(api);
    expect([...asked]).toEqual([]);
    expect(broker.requests.count('Produce')).toBe(40);
  });
});
