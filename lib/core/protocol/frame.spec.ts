import { ApiVersions, Metadata, Produce } from './apis/index.js';
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
  requestHeaderVersion,
  responseHeaderVersion,
} from './frame.js';
import { Reader } from './wire/index.js';

/** The fields of a message in hex, one after another. */
const hex = (...fields: string[]): string => fields.join('');

const joined = (chunks: Buffer[]): Buffer => Buffer.concat(chunks);

describe('a request frame', () => {
  it('leads with its length and an old header before the flexible versions', () => {
    const frame = joined(encodeRequestFrame(ApiVersions, 0, 7, 'krafka', {}));
    expect(frame.toString('hex')).toBe(hex('00000010', '0012', '0000', '00000007', '0006', '6b7261666b61'));
  });

  it('has a header with tagged fields in flexible versions, the client id still in the old form', () => {
    const request = { clientSoftwareName: 'k', clientSoftwareVersion: '1' };
    const frame = joined(encodeRequestFrame(ApiVersions, 3, 7, 'krafka', request));
    expect(frame.toString('hex')).toBe(
      hex('00000016', '0012', '0003', '00000007', '00066b7261666b61', '00', '026b', '0231', '00'),
    );
  });

  it('says no client id as null', () => {
    const frame = joined(encodeRequestFrame(ApiVersions, 0, 1, null, {}));
    expect(frame.subarray(12).toString('hex')).toBe('ffff');
    expect(decodeRequestHeader(new Reader(frame, 4)).clientId).toBeNull();
  });

  it('is refused by name when the client id is too long for the protocol', () => {
    expect(() => encodeRequestFrame(ApiVersions, 0, 1, 'k'.repeat(32_768), {})).toThrow(
      "INVALID_REQUEST (ApiVersions): 'clientId' is 32768 bytes long",
    );
  });

  it('carries large record batches by reference and counts them in its length', () => {
    const batch = Buffer.alloc(5_000, 1);
    const request = {
      acks: -1,
      timeoutMs: 1,
      topicData: [{ name: 'a', partitionData: [{ index: 0, records: batch }] }],
    };
    const chunks = encodeRequestFrame(Produce, 9, 1, 'k', request);
    expect(chunks).toContain(batch);
    const frame = joined(chunks);
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
  });

  it('is read back by a broker, header and body', () => {
    const frame = joined(encodeRequestFrame(Metadata, 9, 42, 'me', { topics: [{ name: 'a' }] }));
    const reader = new Reader(frame, 4);
    expect(decodeRequestHeader(reader)).toEqual({ apiKey: 3, apiVersion: 9, correlationId: 42, clientId: 'me' });
    expect(Metadata.request.decode(reader, 9).topics).toMatchObject([{ name: 'a' }]);
    expect(reader.remaining).toBe(0);
  });

  it('skips tagged fields of the header that it does not know', () => {
    const header = Buffer.from(hex('0003', '0009', '0000002a', '0001', '6d', '01', '05', '02', 'abcd'), 'hex');
    const reader = new Reader(header);
    expect(decodeRequestHeader(reader).correlationId).toBe(42);
    expect(reader.remaining).toBe(0);
  });

  it('leaves the reader behind header 1 when the API is not known', () => {
    const reader = new Reader(Buffer.from(hex('7fff', '0000', '00000001', 'ffff', '99'), 'hex'));
    expect(decodeRequestHeader(reader).apiKey).toBe(0x7fff);
    expect(reader.remaining).toBe(1);
  });

  it('with a client id of negative length is malformed', () => {
    const header = Buffer.from(hex('0003', '0000', '0000002a', 'fffe'), 'hex');
    expect(() => decodeRequestHeader(new Reader(header))).toThrow(/a length of -2/);
  });
});

describe('a response frame', () => {
  it('is answered in header 1 in flexible versions', () => {
    expect(responseHeaderVersion(Metadata, 8)).toBe(0);
    expect(responseHeaderVersion(Metadata, 9)).toBe(1);
    expect(requestHeaderVersion(Metadata, 9)).toBe(2);
  });

  it('of ApiVersions has header 0 at every version', () => {
    expect(responseHeaderVersion(ApiVersions, 4)).toBe(0);
  });

  it('is read back by a client', () => {
    const answer = { brokers: [], topics: [] };
    const frame = joined(encodeResponseFrame(Metadata, 12, 42, answer));
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
    const reader = new Reader(frame, 4);
    expect(decodeResponseHeader(reader, Metadata, 12)).toBe(42);
    expect(Metadata.response.decode(reader, 12)).toMatchObject({ brokers: [], topics: [], clusterId: null });
    expect(reader.remaining).toBe(0);
  });
});
