/** What brokers are told this client is (KIP-511). A spec holds the version against package.json. */
export const CLIENT_SOFTWARE = { clientSoftwareName: 'nestjs-krafka', clientSoftwareVersion: '0.1.0' } as const;
