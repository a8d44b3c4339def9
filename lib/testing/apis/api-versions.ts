import { ApiVersions, ERROR_CODES, type AnswerOf } from '../../core/protocol/index.js';
import type { OfferedApis } from '../server/offered-apis.js';
import { serve, type BrokerParts, type ServedApi } from './served-api.js';

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/** The answer to a version of ApiVersions that is not served: in the form of version 0, naming the versions that are (KIP-511). */
export function unsupportedApiVersions(offered: OfferedApis): AnswerOf<typeof ApiVersions> {
  return {
    errorCode: ERROR_CODES.UNSUPPORTED_VERSION,
    apiKeys: offered.list().filter(({ apiKey }) => apiKey === ApiVersions.key),
  };
}

/** A feature of the cluster (KIP-584) and the level it is at. */
interface Feature {
  readonly name: string;
  readonly level: number;
}

const METADATA = 'metadata.version';

// What is switched on follows from what is offered, so that a limited broker does not promise what its versions can't say.
function features({ offered, transactionVersion }: BrokerParts): readonly Feature[] {
  const endTxn = offered.range(26)?.to ?? -1;
  const metadata: Feature = { name: METADATA, level: 30 };
  return [
    ...(offered.offers('ConsumerGroupHeartbeat') ? [{ name: 'group.version', level: 1 }] : []),
    ...(endTxn >= 0 ? [{ name: 'transaction.version', level: transactionVersion ?? (endTxn >= 5 ? 2 : 0) }] : []),
    metadata,
  ];
}

export const apiVersions: readonly ServedApi[] = [
  serve(
    ApiVersions,
    [0, 4],
    (request, scope) => {
      const { offered, version } = scope;
      const { clientSoftwareName: name, clientSoftwareVersion } = request;
      if (version >= 3 && !(SOFTWARE.test(name) && SOFTWARE.test(clientSoftwareVersion))) {
        return { errorCode: ERROR_CODES.INVALID_REQUEST, apiKeys: [] };
      }
      const on = features(scope);
      return {
        errorCode: ERROR_CODES.NONE,
        apiKeys: offered.list(),
        supportedFeatures: on
          // Version 3 can't say 0 (KIP-584): what has no lower level is left out.
          .filter((feature) => version >= 4 || feature.name === METADATA)
          .map((feature) => ({
            name: feature.name,
            minVersion: feature.name === METADATA ? 7 : 0,
            maxVersion: feature.name === METADATA ? 30 : feature.name === 'transaction.version' ? 2 : 1,
          })),
        finalizedFeaturesEpoch: 1,
        finalizedFeatures: on
          .filter(({ level }) => level > 0)
          .map(({ name: feature, level }) => ({ name: feature, maxVersionLevel: level, minVersionLevel: level })),
      };
    },
    (_request, errorCode) => ({ errorCode, apiKeys: [] }),
  ),
];
