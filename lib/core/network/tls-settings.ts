import type { ConnectionOptions as NodeTlsOptions } from 'node:tls';

/** Node's own TLS options, as far as they concern a client. */
export type TlsOptions = Pick<
  NodeTlsOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'pfx'
  | 'passphrase'
  | 'servername'
  | 'rejectUnauthorized'
  | 'checkServerIdentity'
  | 'minVersion'
  | 'maxVersion'
  | 'ciphers'
  | 'ecdhCurve'
  | 'sigalgs'
  | 'crl'
  | 'ALPNProtocols'
  | 'secureContext'
>;

/** How TLS is spoken. Its key and passphrase never print. */
export class TlsSettings {}
