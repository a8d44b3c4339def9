import { testTls } from '../../../test/support/tls/index.js';
import { TlsSettings } from './tls-settings.js';

describe('TlsSettings', () => {
  it('verifies the broker unless told otherwise', () => {
    expect(new TlsSettings({}, 'tls').connectOptions('b')).toMatchObject({ rejectUnauthorized: true });
    const unverified = new TlsSettings({ rejectUnauthorized: false }, 'tls');
    expect(unverified.connectOptions('b')).toMatchObject({ rejectUnauthorized: false });
  });

  it('names the host as the server, but no IP address, unless another name is given', () => {
    const settings = new TlsSettings({}, 'tls');
    expect(settings.connectOptions('b.example').servername).toBe('b.example');
    expect(settings.connectOptions('10.0.0.1').servername).toBeUndefined();
    expect(new TlsSettings({ servername: 'kafka' }, 'tls').connectOptions('10.0.0.1').servername).toBe('kafka');
  });

  it.each([[['kafka', Buffer.from('h2')]], [Buffer.from('\x05kafka\x02h2', 'latin1')]])(
    'takes names of protocols as Node does: %j',
    (ALPNProtocols) => {
      expect(new TlsSettings({ ALPNProtocols } as object, 'tls').connectOptions('a')).toMatchObject({ ALPNProtocols });
    },
  );

  it('makes its context once, for all connections', () => {
    const settings = new TlsSettings({ ca: testTls.ca }, 'tls');
    expect(settings.connectOptions('a').secureContext).toBe(settings.connectOptions('b').secureContext);
  });
});
