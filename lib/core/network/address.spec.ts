import { KrafkaConfigError } from '../support/index.js';
import { splitAddress } from './address.js';

describe('splitAddress', () => {
  it.each([
    ['localhost:9092', 'localhost', 9092],
    ['10.0.0.1:1', '10.0.0.1', 1],
    ['[::1]:9092', '::1', 9092],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', 65_535],
  ])('takes %s apart', (address, host, port) => {
    expect(splitAddress(address)).toEqual({ host, port });
  });

  it.each(['localhost', 'localhost:', 'localhost:0', 'localhost:65536', '::1:9092', 'a b:1', 'kafka://a:1', ''])(
    'refuses %j',
    (address) => {
      expect(() => splitAddress(address)).toThrow(KrafkaConfigError);
    },
  );

  it.each([undefined, null, 9092, ['localhost:9092']])('refuses %j, which is no text', (address) => {
    expect(() => splitAddress(address as never)).toThrow(KrafkaConfigError);
  });

  it('repeats no password that was put in front of the host', () => {
    expect(() => splitAddress('ann:secret@host:9092')).toThrow(/^(?!.*secret)/);
  });
});
