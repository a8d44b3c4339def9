import type { ProducerRecord } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { aRecord } from '../spec-support/records.js';
import { Payloads } from './payloads.js';
import {
  correlationIdOf,
  decodeReply,
  encodeReply,
  replyAddressOf,
  type ReplyAddress,
  type ReplyPacket,
} from './reply.js';

const address: ReplyAddress = {
  correlationId: Buffer.from('c-1'),
  topic: 'price.reply',
  partition: 2,
  deadline: undefined,
};

const plain = new Payloads();

const encode = (packet: Partial<ReplyPacket>): ProducerRecord =>
  encodeReply({ hasValue: 'response' in packet, isDisposed: false, ...packet }, address, plain) as ProducerRecord;

const errorOf = (err: unknown): unknown => encode({ err, isDisposed: true }).headers?.['kafka_nest-err'];

const received = (record: ProducerRecord): ConsumerRecord =>
  aRecord({ ...record, partition: 0, key: record.key ?? null, headers: record.headers ?? {} });

describe('A request', () => {
  it('names where its replies go', () => {
    const request = aRecord({
      headers: { kafka_correlationId: 'c-1', kafka_replyTopic: 'price.reply', kafka_replyPartition: '2' },
    });
    expect(replyAddressOf(request)).toEqual(address);
  });

  it('may say when nobody waits for it any more', () => {
    const deadlineIn = (krafka_deadline: string): number | undefined =>
      replyAddressOf(
        aRecord({ headers: { kafka_correlationId: 'c-1', kafka_replyTopic: 'price.reply', krafka_deadline } }),
      )?.deadline;
    expect(deadlineIn('1700000000000')).toBe(1_700_000_000_000);
    expect(deadlineIn('soon')).toBeUndefined();
    expect(deadlineIn('')).toBeUndefined();
  });

  it('may leave the partition to the one who replies', () => {
    const request = aRecord({ headers: { kafka_correlationId: 'c-1', kafka_replyTopic: 'price.reply' } });
    expect(replyAddressOf(request)).toEqual({ ...address, partition: undefined });
  });

  it('is an event when the correlation id or the reply topic is missing', () => {
    expect(replyAddressOf(aRecord())).toBeUndefined();
    expect(replyAddressOf(aRecord({ headers: { kafka_correlationId: 'c-1' } }))).toBeUndefined();
    expect(replyAddressOf(aRecord({ headers: { kafka_replyTopic: 'price.reply' } }))).toBeUndefined();
    expect(
      replyAddressOf(aRecord({ headers: { kafka_correlationId: '', kafka_replyTopic: 'price.reply' } })),
    ).toBeUndefined();
  });
});

describe('A reply', () => {
  it('goes to the partition asked for with the correlation id as it came', () => {
    const reply = encode({ response: { total: 5 } });
    expect(reply).toMatchObject({ topic: 'price.reply', partition: 2, value: '{"total":5}' });
    expect(reply.headers).toEqual({ kafka_correlationId: Buffer.from('c-1') });
  });

  it('is marked with a zero byte when it is the last', () => {
    expect(encode({ response: 5, isDisposed: true }).headers).toEqual({
      kafka_correlationId: Buffer.from('c-1'),
      'kafka_nest-is-disposed': Buffer.alloc(1),
    });
  });

  it('carries an object as JSON and any other error as text', () => {
    expect(errorOf({ status: 'error', message: 'no' })).toBe('{"status":"error","message":"no"}');
    expect(errorOf('no')).toBe('no');
    expect(errorOf(7)).toBe('7');
    expect(errorOf('')).toBe('Internal server error');
    expect(errorOf(new Error('no'))).toBe('{"status":"error","message":"no"}');
    expect(errorOf(Object.assign(new Error('no'), { code: 7 }))).toBe('{"status":"error","code":7,"message":"no"}');
  });

  it('still says that it failed when the error has no JSON', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(encode({ err: circle, isDisposed: true }).headers?.['kafka_nest-err']).toBe(
      '{"status":"error","message":"Internal server error"}',
    );
  });

  it.each<[string, Partial<ReplyPacket>, object]>([
    ['a value', { response: { total: 5 } }, { response: { total: 5 }, isDisposed: false }],
    ['the last value', { response: 'x', isDisposed: true }, { response: 'x', isDisposed: true }],
    ['null as the last value', { response: null, isDisposed: true }, { response: null, isDisposed: true }],
    ['the end alone, which is no null', { isDisposed: true }, { isDisposed: true }],
    ['an error', { err: { code: 1 }, isDisposed: true }, { err: { code: 1 }, isDisposed: true }],
  ])('is understood on the other side: %s', (_what, packet, understood) => {
    const reply = received(encode(packet));
    expect(correlationIdOf(reply)).toBe('c-1');
    expect(decodeReply(reply, plain)).toEqual(understood);
  });

  it("is understood from Nest's own server: a completion is a null there, an empty error still an error", () => {
    const completion = { kafka_correlationId: 'c-1', 'kafka_nest-is-disposed': Buffer.alloc(1) };
    expect(decodeReply(aRecord({ headers: completion }), plain)).toEqual({ response: null, isDisposed: true });
    const failure = { kafka_correlationId: 'c-1', 'kafka_nest-err': '' };
    expect(decodeReply(aRecord({ headers: failure }), plain)).toEqual({
      err: 'Internal server error',
      isDisposed: true,
    });
  });

  it('is none without a correlation id', () => {
    expect(correlationIdOf(aRecord({ value: 'x' }))).toBeUndefined();
  });
});
