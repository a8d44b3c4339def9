import { KrafkaUnsupportedFeatureError } from '../../../lib/core/index.js';
import { EmbeddedBroker } from '../../../lib/testing/index.js';
import { Krafka } from '../../../lib/core/index.js';

describe('a share consumer of a cluster without share groups', () => {
  let broker: EmbeddedBroker;
  let krafka: Krafka;

  beforeAll(async () => {
    broker = await EmbeddedBroker.start({ topics: { work: 1 } });
    krafka = new Krafka({ brokers: broker.bootstrap });
  });
  afterAll(async () => {
    await krafka.close();
    await broker.close();
  });

  it('is told which feature is missing, and what the broker has of it, however it is begun', async () => {
    const consumer = krafka.shareConsumer({ groupId: 'g', topics: ['work'] });
    const error = (await consumer.start().catch((problem: unknown) => problem)) as KrafkaUnsupportedFeatureError;
    expect(error).toBeInstanceOf(KrafkaUnsupportedFeatureError);
    expect(error).toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      retriable: false,
      feature: 'share.version',
      offered: 'no share groups',
      address: broker.bootstrap,
    });
    expect(error.message).toBe(
      `share groups need the cluster's feature 'share.version' at level 1 (KIP-932, Kafka 4.2 and later): the broker at ${broker.bootstrap} offers no share groups`,
    );
    await expect(consumer.run({ eachRecord: () => undefined })).rejects.toThrow(KrafkaUnsupportedFeatureError);
    await expect(consumer[Symbol.asyncIterator]().next()).rejects.toThrow(KrafkaUnsupportedFeatureError);
    await consumer.close();
    await expect(consumer.start()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('hears of a missing topic first, and may then start again', async () => {
    const consumer = krafka.shareConsumer({ groupId: 'g', topics: ['nowhere'], startTimeoutMs: 2_000 });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 'nowhere' });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });
});
