import {
  ApiVersions,
  ERROR_CODES,
  Fetch,
  Heartbeat,
  Metadata,
  Produce,
  Reader,
  decodeResponseHeader,
} from '../../core/protocol/index.js';
import { KrafkaConfigError } from '../../core/support/index.js';
import { aBatch } from '../spec-support/batches.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import type { WireClient } from '../spec-support/wire-client.js';

/** A frame of a header 1 and whatever follows it. */
function frame(apiKey: number, version: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(14);
  header.writeInt32BE(10 + rest.length, 0);
  header.writeInt16BE(apiKey, 4);
  header.writeInt16BE(version, 6);
  header.writeInt32BE(77, 8);
  header.writeInt16BE(-1, 12);
  return Buffer.concat([header, rest]);
}

describe('a connection to a node', () => {
  let spec: SpecBroker;
  let client: WireClient;

  beforeEach(async () => {
    spec = await SpecBroker.start({ topics: { orders: 1 } });
    client = await spec.connect();
  });
  afterEach(() => spec.close());

  const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm' };
  const longPoll = {
    maxWaitMs: 60_000,
    minBytes: 1,
    sessionEpoch: -1,
    topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
  };

  it('serves one request at a time: a heartbeat behind a long poll waits for it', async () => {
    const fetching = client.write(Fetch, 12, longPoll);
    const beating = client.write(Heartbeat, 4, heartbeat);
    await spec.received('Fetch', 1);
    await (await spec.connect()).send(Metadata, 9, { topics: null });
    expect(spec.broker.requests.count('Heartbeat')).toBe(0);
    spec.clock.advance(60_000);
    await client.answer(Fetch, 12, fetching);
    await client.answer(Heartbeat, 4, beating);
    expect(spec.broker.requests.list().map(({ api }) => api)).toEqual(['Fetch', 'Metadata', 'Heartbeat']);
  });

  it('answers in the order of the requests, however they are cut into packets', async () => {
    const request = frame(Metadata.key, 1, Buffer.from([0, 0, 0, 0]));
    for (const byte of Buffer.concat([request, request])) client.writeRaw(Buffer.from([byte]));
    for (let answers = 0; answers < 2; answers++) {
      const reader = new Reader(await client.frame());
      expect(decodeResponseHeader(reader, Metadata, 1)).toBe(77);
    }
  });

  it.each([
    ['an API there is not', frame(999, 0)],
    ['an API that is not offered', frame(4, 0)],
    ['a version that is too new', frame(Metadata.key, 99, Buffer.alloc(8))],
    ['a version that is too old', frame(Produce.key, 2, Buffer.alloc(30))],
    ['a request that ends too early', frame(Metadata.key, 1, Buffer.from([0, 0]))],
    ['an array that is longer than the request', frame(Metadata.key, 1, Buffer.from([0, 255, 255, 255]))],
    ['a frame of a negative length', Buffer.from([255, 255, 255, 255])],
    ['a frame of 2 GiB', Buffer.from([127, 255, 255, 255, 0, 0])],
    ['a frame of nothing', Buffer.from([0, 0, 0, 0])],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('ends without a word at %s', async (_what, bytes) => {
    client.writeRaw(bytes);
    await client.closed();
    expect(client.partialBytes).toBe(0);
    expect(spec.broker.connections()).toBe(0);
  });

  it.each([99, -1])(
    'answers version %i of ApiVersions with what it speaks, in the form of version 0',
    async (version) => {
      const tagged = version === 99 ? Buffer.from([0, 1, 1, 0]) : Buffer.alloc(0);
      client.writeRaw(frame(ApiVersions.key, version, tagged));
      const reader = new Reader(await client.frame());
      expect(decodeResponseHeader(reader, ApiVersions, 0)).toBe(77);
      expect(ApiVersions.response.decode(reader, 0)).toMatchObject({
        errorCode: ERROR_CODES.UNSUPPORTED_VERSION,
        apiKeys: [{ apiKey: ApiVersions.key, minVersion: 0, maxVersion: 4 }],
      });
    },
  );

  it('refuses the name of a client that is no name', async () => {
    const answer = await client.send(ApiVersions, 3, { clientSoftwareName: 'a b', clientSoftwareVersion: '1' });
    expect(answer).toMatchObject({ errorCode: ERROR_CODES.INVALID_REQUEST, apiKeys: [] });
  });

  it('offers no more than it is limited to, from the next request on', async () => {
    spec.broker.setApiVersions({ Metadata: { max: 5 }, Fetch: { min: 5, max: 11 }, ConsumerGroupHeartbeat: false });
    const answer = await client.send(ApiVersions, 4, { clientSoftwareName: 'a', clientSoftwareVersion: '1' });
    expect(answer.apiKeys).toEqual(
      expect.arrayContaining([
        { apiKey: Metadata.key, minVersion: 0, maxVersion: 5 },
        { apiKey: Fetch.key, minVersion: 5, maxVersion: 11 },
      ]),
    );
    expect(answer.apiKeys.some(({ apiKey }) => apiKey === 68)).toBe(false);
    expect(answer.finalizedFeatures.map(({ name }) => name)).not.toContain('group.version');
    client.write(Metadata, 6, { topics: null });
    await client.closed();
  });

  it('can only be limited to what it serves', () => {
    const limit = (limits: object) => () => spec.broker.setApiVersions(limits);
    expect(limit({ Metdata: { max: 1 } })).toThrow(/did you mean 'Metadata'/);
    expect(limit({ LeaderAndIsr: false })).toThrow(KrafkaConfigError);
    expect(limit({ Metadata: { max: 99 } })).toThrow(/must lie within versions 0 to 13/);
    expect(limit({ Produce: { min: 9, max: 8 } })).toThrow(KrafkaConfigError);
  });

  it('answers nothing to acks = 0, and ends when it can’t append', async () => {
    const produce = async (name: string) => {
      const records = await aBatch(['a'], { timestamp: spec.clock.now() });
      const topicData = [{ name, partitionData: [{ index: 0, records }] }];
      client.write(Produce, 9, { acks: 0, timeoutMs: 0, topicData });
    };
    await produce('orders');
    await client.send(Metadata, 9, { topics: null });
    expect(spec.broker.records('orders')).toHaveLength(1);
    await produce('missing');
    await client.closed();
  });

  it('drops what it was waiting for when the client goes', async () => {
    client.write(Fetch, 12, longPoll);
    await spec.received('Fetch', 1);
    expect(spec.clock.pending).toBe(1);
    await client.close();
    while (spec.broker.connections() > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(spec.clock.pending).toBe(0);
  });
});
