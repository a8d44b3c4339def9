import { apiVersions } from './api-versions.js';
import { configs } from './configs.js';
import { consumerGroups } from './consumer-groups.js';
import { fetching } from './fetch.js';
import { findCoordinator } from './find-coordinator.js';
import { groupAdmin } from './group-admin.js';
import { classicGroups } from './groups.js';
import { initProducerId } from './init-producer-id.js';
import { listing } from './list-offsets.js';
import { metadata } from './metadata.js';
import { offsets } from './offsets.js';
import { partitionAdmin } from './partition-admin.js';
import { producing } from './produce.js';
import { saslApis } from './sasl.js';
import type { ServedApi } from './served-api.js';
import { topics } from './topics.js';
import { transactionAdmin } from './transaction-admin.js';
import { transactionOffsets } from './transaction-offsets.js';
import { transactional } from './transactions.js';

/** Every API that the embedded broker serves. */
export const SERVED_APIS: readonly ServedApi[] = [
  ...apiVersions,
  ...metadata,
  ...producing,
  ...fetching,
  ...listing,
  ...findCoordinator,
  ...classicGroups,
  ...offsets,
  ...topics,
  ...partitionAdmin,
  ...configs,
  ...groupAdmin,
  ...consumerGroups,
  ...initProducerId,
  ...transactional,
  ...transactionOffsets,
  ...transactionAdmin,
  ...saslApis,
];
