import { KrafkaConfigError } from '../support/index.js';
import { checkProducerOptions, type ProducerOptions } from './options.js';

const refusal = (options: unknown): KrafkaConfigError => {
  try {
    checkProducerOptions(options as ProducerOptions);
  } catch (error) {
    return error as KrafkaConfigError;
  }
  throw new Error('it was taken');
};

describe('ProducerOptions', () => {
  it('have the defaults of the guide, else of the Java client', () => {
    expect(checkProducerOptions(undefined)).toMatchObject({
      acks: 'all',
      idempotent: true,
      batchSize: 65_536,
      lingerMs: 5,
      codec: undefined,
      deliveryTimeoutMs: 120_000,
      requestTimeoutMs: 30_000,
      maxRequestSize: 1_048_576,
      maxInFlight: 5,
      retryBackoffMs: 100,
      partitioner: 'default',
      interceptors: [],
      accumulator: { bufferMemory: 33_554_432, maxBlockMs: 5_000 },
    });
  });

  it('are frozen, and the object given stays as it was', () => {
    const given: ProducerOptions = { lingerMs: 1, accumulator: { maxBlockMs: 1 } };
    const config = checkProducerOptions(given);
    expect(Object.isFrozen(config) && Object.isFrozen(config.accumulator)).toBe(true);
    expect(given).toEqual({ lingerMs: 1, accumulator: { maxBlockMs: 1 } });
  });

  it.each([
    [{ linger: 5 }, 'producer.linger', 'lingerMs'],
    [{ batchsize: 5 }, 'producer.batchsize', 'batchSize'],
    [{ accumulator: { bufferMem: 5 } }, 'producer.accumulator.bufferMem', 'bufferMemory'],
  ])('that are not known are refused by name, with the nearest that is: %j', (given, option, nearest) => {
    expect(refusal(given)).toMatchObject({ option, nearest });
  });

  it.each([
    [{ acks: 2 }, 'producer.acks'],
    [{ lingerMs: -1 }, 'producer.lingerMs'],
    [{ batchSize: 0 }, 'producer.batchSize'],
    [{ batchSize: '64k' }, 'producer.batchSize'],
    [{ compression: 'brotli' }, 'producer.compression'],
    [{ compression: { name: 'lz4', id: 1, compress: () => 0, decompress: () => 0 } }, 'producer.compression'],
    [{ compression: 'gzip', compressionLevel: 10 }, 'producer.compressionLevel'],
    [{ compression: 'lz4', compressionLevel: 1 }, 'producer.compressionLevel'],
    [{ compressionLevel: 1 }, 'producer.compressionLevel'],
    [{ partitioner: 'random' }, 'producer.partitioner'],
    [{ partitioner: {} }, 'producer.partitioner'],
    [{ keySerializer: {} }, 'producer.keySerializer'],
    [{ interceptors: [{}] }, 'producer.interceptors[0]'],
    [{ interceptors: [{ onSend: 5 }] }, 'producer.interceptors[0].onSend'],
    [{ accumulator: 5 }, 'producer.accumulator'],
    [{ accumulator: { maxBlockMs: 0.5 } }, 'producer.accumulator.maxBlockMs'],
    [{ retryBackoffMs: 2_000 }, 'producer.retryBackoffMs'],
    [{ lingerMs: 2 ** 31, deliveryTimeoutMs: 2 ** 33 }, 'producer.lingerMs'],
    [{ deliveryTimeoutMs: 2 ** 31 }, 'producer.deliveryTimeoutMs'],
    [{ accumulator: { maxBlockMs: Number.MAX_SAFE_INTEGER } }, 'producer.accumulator.maxBlockMs'],
    [5, 'producer'],
  ])('of the wrong kind or range are refused by name: %j', (given, option) => {
    expect(refusal(given)).toMatchObject({ code: 'INVALID_CONFIG', option });
  });

  it('deliveryTimeoutMs below lingerMs + requestTimeoutMs is a configuration error', () => {
    expect(refusal({ deliveryTimeoutMs: 30_004 }).option).toBe('producer.deliveryTimeoutMs');
    expect(checkProducerOptions({ deliveryTimeoutMs: 30_005 }).deliveryTimeoutMs).toBe(30_005);
  });

  it('idempotent without acks all is a configuration error, and not the default', () => {
    expect(refusal({ idempotent: true, acks: 1 }).option).toBe('producer.idempotent');
    expect(checkProducerOptions({ acks: 1 }).idempotent).toBe(false);
    expect(checkProducerOptions({ acks: 'all', idempotent: false }).idempotent).toBe(false);
  });

  it('more than five in flight is a configuration error when idempotent', () => {
    expect(refusal({ maxInFlight: 6 }).option).toBe('producer.maxInFlight');
    expect(checkProducerOptions({ maxInFlight: 6, acks: 1 }).maxInFlight).toBe(6);
  });

  it('a batchSize that could never be reached is a configuration error', () => {
    expect(refusal({ batchSize: 2_000_000 }).option).toBe('producer.batchSize');
    expect(refusal({ batchSize: 50_000, accumulator: { bufferMemory: 40_000 } }).option).toBe('producer.batchSize');
  });
});
