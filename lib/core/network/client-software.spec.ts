import { readFileSync } from 'node:fs';
import { CLIENT_SOFTWARE } from './client-software.js';

it('tells brokers the name and version that the package has', () => {
  const { name, version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  expect(CLIENT_SOFTWARE).toEqual({ clientSoftwareName: name, clientSoftwareVersion: version });
});
