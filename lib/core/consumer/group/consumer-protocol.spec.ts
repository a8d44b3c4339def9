import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.js';

const member = { memberId: 'm-1', groupInstanceId: null };

// The bytes of whole blobs below are those that ConsumerProtocol of the Java client 4.3.1 writes for the same values.
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('subscription', () => {
  const subscription = {
    topics: ['b', 'a'],
    userData: null,
    ownedPartitions: [
      { topic: 'b', partition: 1 },
      { topic: 'a', partition: 2 },
      { topic: 'a', partition: 0 },
    ],
    generation: 5,
    rack: 'r1',
  };

  it('is written as version 3, topics and partitions in order', () => {
    expect(encodeSubscription(subscription)).toEqual(
      hex(
        '0003 00000002 0001 61 0001 62 ffffffff 00000002' +
          '0001 61 00000002 00000000 00000002 0001 62 00000001 00000001 00000005 0002 7231',
      ),
    );
  });

  it('comes back as it went', () => {
    expect(decodeSubscription(encodeSubscription(subscription), member)).toEqual({
      memberId: 'm-1',
      groupInstanceId: null,
      topics: ['a', 'b'],
      userData: null,
      ownedPartitions: [
        { topic: 'a', partition: 0 },
        { topic: 'a', partition: 2 },
        { topic: 'b', partition: 1 },
      ],
      generation: 5,
      rack: 'r1',
    });
  });

  it('of version 0 tells nothing of what is owned', () => {
    expect(decodeSubscription(hex('0000 00000001 0001 61 ffffffff'), member)).toMatchObject({
      topics: ['a'],
      ownedPartitions: null,
      generation: -1,
      rack: null,
    });
  });

  it('of a version to come is read as far as it is known', () => {
    const blob = encodeSubscription(subscription);
    blob.writeInt16BE(9, 0);
    expect(decodeSubscription(Buffer.concat([blob, hex('0102')]), member)).toMatchObject({ generation: 5 });
  });

  it.each([
    ['empty', ''],
    ['cut', '0003 00000002 0001 61'],
    ['absurd', '0003 7fffffff 0001 61'],
    ['negative', 'ffff 00000000'],
  ])('that is %s is an error that names the member, never fewer topics', (_, text) => {
    expect(() => decodeSubscription(hex(text), member)).toThrow(/MALFORMED.*'m-1'/);
  });
});

describe('assignment', () => {
  const partitions = [
    { topic: 'b', partition: 1 },
    { topic: 'a', partition: 0 },
  ];

  it('is written as version 3 and comes back in order', () => {
    const blob = encodeAssignment(partitions);
    expect(blob).toEqual(hex('0003 00000002 0001 61 00000001 00000000 0001 62 00000001 00000001 ffffffff'));
    expect(decodeAssignment(blob)).toEqual([partitions[1], partitions[0]]);
  });

  it('may say that there is nothing', () => {
    expect(decodeAssignment(encodeAssignment([]))).toEqual([]);
  });

  it.each([
    ['empty', ''],
    ['cut', '0003 00000002 0001 61 00000001'],
  ])('that is %s is an error, never "no partitions"', (_, text) => {
    expect(() => decodeAssignment(hex(text))).toThrow(/MALFORMED/);
  });
});
