import { readFileSync } from 'node:fs';

const read = (name: string): string => readFileSync(new URL(`./${name}.pem`, import.meta.url), 'utf8');

/**
 * Certificates of the tests, valid for a hundred years and trusted by nobody else: an authority, a server for
 * `localhost`, `127.0.0.1` and `::1`, and a client. `make-certificates.sh` beside this file makes them anew.
 */
export const testTls = {
  ca: read('authority.cert'),
  server: { cert: read('server.cert'), key: read('server.key') },
  client: {
    cert: read('client.cert'),
    key: read('client.key'),
    encryptedKey: read('client.encrypted-key'),
    passphrase: 'tests-only',
  },
} as const;
