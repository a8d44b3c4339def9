import {
  KrafkaAuthenticationError,
  KrafkaFencedError,
  KrafkaProtocolError,
  KrafkaRecordTooLargeError,
  type KrafkaError,
  type ProtocolErrorContext,
} from '../support/index.js';

// What trying again means for an error, as the Java client's exceptions have it: `final` never helps by itself,
// `retry` may help, `refresh` may help once the metadata is fetched anew (Java's InvalidMetadataException).
type Remedy = 'final' | 'retry' | 'refresh';
type ErrorRow = readonly [code: number, remedy: Remedy, description: string];

const ERRORS = {
  UNKNOWN_SERVER_ERROR: [-1, 'final', 'the broker failed in a way it has no code for; its log says more'],
  NONE: [0, 'final', 'no error'],
  OFFSET_OUT_OF_RANGE: [1, 'final', 'the partition no longer has, or does not yet have, that offset'],
  CORRUPT_MESSAGE: [
    2,
    'retry',
    'a record batch failed its checks, or a compacted topic was given a record without key',
  ],
  UNKNOWN_TOPIC_OR_PARTITION: [3, 'refresh', 'the broker has no such topic or partition'],
  INVALID_FETCH_SIZE: [4, 'final', 'the size asked for in a fetch is not valid'],
  LEADER_NOT_AVAILABLE: [5, 'refresh', 'the partition has no leader at the moment'],
  NOT_LEADER_OR_FOLLOWER: [6, 'refresh', 'the broker is not the leader of the partition, or has no replica of it'],
  REQUEST_TIMED_OUT: [7, 'retry', 'the broker could not finish the request in the time the request gave it'],
  BROKER_NOT_AVAILABLE: [8, 'final', 'the broker is not available'],
  REPLICA_NOT_AVAILABLE: [9, 'refresh', 'the replica is not available for the partition'],
  MESSAGE_TOO_LARGE: [10, 'final', 'a record batch is larger than the topic takes (max.message.bytes)'],
  STALE_CONTROLLER_EPOCH: [11, 'final', 'another broker has become the controller'],
  OFFSET_METADATA_TOO_LARGE: [12, 'final', 'the text committed beside an offset is longer than the broker takes'],
  NETWORK_EXCEPTION: [13, 'refresh', 'the connection ended before the answer came'],
  COORDINATOR_LOAD_IN_PROGRESS: [14, 'retry', 'the coordinator is still loading its state'],
  COORDINATOR_NOT_AVAILABLE: [15, 'retry', 'there is no coordinator at the moment'],
  NOT_COORDINATOR: [16, 'retry', 'the broker is not the coordinator'],
  INVALID_TOPIC_EXCEPTION: [17, 'final', 'the topic name is not legal, or the topic may not be used that way'],
  RECORD_LIST_TOO_LARGE: [18, 'final', 'the record batches are larger than one log segment'],
  NOT_ENOUGH_REPLICAS: [19, 'retry', 'fewer replicas are in sync than the topic requires; nothing was written'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, 'retry', 'written, but to fewer in-sync replicas than the topic requires'],
  INVALID_REQUIRED_ACKS: [21, 'final', 'acks must be -1, 0 or 1'],
  ILLEGAL_GENERATION: [22, 'final', 'the group has moved on to another generation'],
  INCONSISTENT_GROUP_PROTOCOL: [23, 'final', "the member shares no protocol with the group's other members"],
  INVALID_GROUP_ID: [24, 'final', 'the group id is not valid'],
  UNKNOWN_MEMBER_ID: [25, 'final', 'the coordinator does not know this member (any more)'],
  INVALID_SESSION_TIMEOUT: [26, 'final', 'the session timeout is outside the range that the broker allows'],
  REBALANCE_IN_PROGRESS: [27, 'final', 'the group is rebalancing: the member must rejoin'],
  INVALID_COMMIT_OFFSET_SIZE: [28, 'final', 'the offsets to commit are larger than the broker takes'],
  TOPIC_AUTHORIZATION_FAILED: [29, 'final', 'not authorized for the topic'],
  GROUP_AUTHORIZATION_FAILED: [30, 'final', 'not authorized for the group'],
  CLUSTER_AUTHORIZATION_FAILED: [31, 'final', 'not authorized for the cluster'],
  INVALID_TIMESTAMP: [32, 'final', 'a record timestamp is out of the range that the topic accepts'],
  UNSUPPORTED_SASL_MECHANISM: [33, 'final', 'the broker does not offer that SASL mechanism'],
  ILLEGAL_SASL_STATE: [34, 'final', 'the request does not fit the state of the SASL exchange'],
  UNSUPPORTED_VERSION: [35, 'final', 'the broker does not speak that version of the API'],
  TOPIC_ALREADY_EXISTS: [36, 'final', 'a topic of that name exists already'],
  INVALID_PARTITIONS: [37, 'final', 'the number of partitions is not valid'],
  INVALID_REPLICATION_FACTOR: [38, 'final', 'the replication factor is below 1 or above the number of brokers'],
  INVALID_REPLICA_ASSIGNMENT: [39, 'final', 'the assignment of replicas to brokers is not valid'],
  INVALID_CONFIG: [40, 'final', 'a configuration entry is not valid'],
  NOT_CONTROLLER: [41, 'retry', 'the broker is not the controller'],
  INVALID_REQUEST: [42, 'final', 'the broker finds the request not valid; its log says more'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, 'final', "the topic's message format is too old for that"],
  POLICY_VIOLATION: [44, 'final', "the request is against a policy of the cluster's"],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, 'final', 'a batch does not follow on the last one of its idempotent producer'],
  DUPLICATE_SEQUENCE_NUMBER: [46, 'final', 'a batch with that sequence was written before'],
  INVALID_PRODUCER_EPOCH: [47, 'final', "the producer's epoch is older than the one the broker knows"],
  INVALID_TXN_STATE: [48, 'final', "the transaction's state does not allow that"],
  INVALID_PRODUCER_ID_MAPPING: [49, 'final', 'the transactional id belongs to another producer id now, or has expired'],
  INVALID_TRANSACTION_TIMEOUT: [50, 'final', 'the transaction timeout is above transaction.max.timeout.ms'],
  CONCURRENT_TRANSACTIONS: [51, 'retry', 'the end of the previous transaction is still being written'],
  TRANSACTION_COORDINATOR_FENCED: [52, 'final', 'another broker has become the transaction coordinator'],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, 'final', 'not authorized for the transactional id'],
  SECURITY_DISABLED: [54, 'final', 'the cluster has no authorizer'],
  OPERATION_NOT_ATTEMPTED: [55, 'final', 'not tried, because another part of the same request failed'],
  KAFKA_STORAGE_ERROR: [56, 'refresh', "the broker's disk failed"],
  LOG_DIR_NOT_FOUND: [57, 'final', 'the broker has no such log directory'],
  SASL_AUTHENTICATION_FAILED: [58, 'final', 'the credentials were refused'],
  UNKNOWN_PRODUCER_ID: [59, 'final', 'the partition holds nothing of that producer id (any more)'],
  REASSIGNMENT_IN_PROGRESS: [60, 'final', 'the partition is being reassigned'],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, 'final', 'delegation tokens are switched off'],
  DELEGATION_TOKEN_NOT_FOUND: [62, 'final', 'there is no such delegation token'],
  DELEGATION_TOKEN_OWNER_MISMATCH: [63, 'final', 'the delegation token belongs to somebody else'],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [64, 'final', 'delegation tokens are not given out over this connection'],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, 'final', 'not authorized for the delegation token'],
  DELEGATION_TOKEN_EXPIRED: [66, 'final', 'the delegation token has expired'],
  INVALID_PRINCIPAL_TYPE: [67, 'final', 'that type of principal is not supported'],
  NON_EMPTY_GROUP: [68, 'final', 'the group has members'],
  GROUP_ID_NOT_FOUND: [69, 'final', 'there is no such group'],
  FETCH_SESSION_ID_NOT_FOUND: [70, 'retry', 'the broker has dropped the fetch session'],
  INVALID_FETCH_SESSION_EPOCH: [71, 'retry', 'the fetch session is at another epoch'],
  LISTENER_NOT_FOUND: [72, 'refresh', 'the leader has no listener like the one the metadata was asked on'],
  TOPIC_DELETION_DISABLED: [73, 'final', 'deleting topics is switched off'],
  FENCED_LEADER_EPOCH: [74, 'refresh', 'the leader epoch given is older than that of the broker'],
  UNKNOWN_LEADER_EPOCH: [75, 'retry', 'the leader epoch given is newer than that of the broker'],
  UNSUPPORTED_COMPRESSION_TYPE: [
    76,
    'final',
    'the partition is compressed in a way that this version of the request excludes',
  ],
  STALE_BROKER_EPOCH: [77, 'final', 'the broker has registered anew since'],
  OFFSET_NOT_AVAILABLE: [78, 'retry', "the new leader's high watermark has not caught up yet"],
  MEMBER_ID_REQUIRED: [79, 'final', 'the member must join again with the id it was given'],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, 'refresh', 'the preferred leader is not available'],
  GROUP_MAX_SIZE_REACHED: [81, 'final', 'the group has as many members as it may have'],
  FENCED_INSTANCE_ID: [82, 'final', 'another member with the same group.instance.id has taken over'],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, 'refresh', 'no replica that could become leader is available'],
  ELECTION_NOT_NEEDED: [84, 'refresh', 'the partition has the leader it should have'],
  NO_REASSIGNMENT_IN_PROGRESS: [85, 'final', 'the partition is not being reassigned'],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, 'final', 'offsets of a topic can not be deleted while the group is subscribed to it'],
  INVALID_RECORD: [87, 'final', "the broker refused a record, by the topic's rules"],
  UNSTABLE_OFFSET_COMMIT: [88, 'retry', 'a transaction with offsets of the partition is not yet decided'],
  THROTTLING_QUOTA_EXCEEDED: [89, 'retry', 'the quota is used up for now'],
  PRODUCER_FENCED: [90, 'final', 'a newer producer with the same transactional id has taken over'],
  RESOURCE_NOT_FOUND: [91, 'final', 'there is no such resource'],
  DUPLICATE_RESOURCE: [92, 'final', 'the request names the same resource twice'],
  UNACCEPTABLE_CREDENTIAL: [93, 'final', 'the credential is not acceptable'],
  INCONSISTENT_VOTER_SET: [94, 'final', 'the sender or the receiver is not among the voters expected'],
  INVALID_UPDATE_VERSION: [95, 'final', 'the version of the update is not valid'],
  FEATURE_UPDATE_FAILED: [96, 'final', 'the finalized features could not be updated'],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, 'final', 'a forwarded principal could not be read'],
  SNAPSHOT_NOT_FOUND: [98, 'final', 'there is no such snapshot'],
  POSITION_OUT_OF_RANGE: [99, 'final', 'the position lies outside the snapshot'],
  UNKNOWN_TOPIC_ID: [100, 'refresh', 'the broker has no topic of that id'],
  DUPLICATE_BROKER_REGISTRATION: [101, 'final', 'another broker has that id'],
  BROKER_ID_NOT_REGISTERED: [102, 'final', 'no broker is registered under that id'],
  INCONSISTENT_TOPIC_ID: [103, 'refresh', 'the topic id is not that of the partition on disk'],
  INCONSISTENT_CLUSTER_ID: [104, 'final', 'the broker belongs to another cluster'],
  TRANSACTIONAL_ID_NOT_FOUND: [105, 'final', 'there is no such transactional id'],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, 'retry', 'the fetch session mixed topic ids and names'],
  INELIGIBLE_REPLICA: [107, 'final', 'the new in-sync set has a replica that may not be in it'],
  NEW_LEADER_ELECTED: [108, 'final', 'the partition was altered, and its leader has changed'],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, 'final', 'the offset has moved to tiered storage'],
  FENCED_MEMBER_EPOCH: [110, 'final', 'the coordinator fenced the member: it must give up its partitions and rejoin'],
  UNRELEASED_INSTANCE_ID: [111, 'final', 'another member still holds that group.instance.id'],
  UNSUPPORTED_ASSIGNOR: [112, 'final', 'the group does not support that assignor'],
  STALE_MEMBER_EPOCH: [113, 'final', "the member's epoch is stale: it learns the new one by its next heartbeat"],
  MISMATCHED_ENDPOINT_TYPE: [114, 'final', 'a broker was taken for a controller, or the other way round'],
  UNSUPPORTED_ENDPOINT_TYPE: [115, 'final', 'that type of endpoint is not supported yet'],
  UNKNOWN_CONTROLLER_ID: [116, 'final', 'there is no controller of that id'],
  UNKNOWN_SUBSCRIPTION_ID: [117, 'final', 'the telemetry subscription is not valid (any more)'],
  TELEMETRY_TOO_LARGE: [118, 'final', 'the telemetry is larger than the broker takes'],
  INVALID_REGISTRATION: [119, 'final', "the controller finds the broker's registration not valid"],
  TRANSACTION_ABORTABLE: [
    120,
    'final',
    'the transaction failed and can only be aborted; the transactional id stays usable',
  ],
  INVALID_RECORD_STATE: [121, 'final', "the record's state does not allow that acknowledgement"],
  SHARE_SESSION_NOT_FOUND: [122, 'retry', 'the broker has dropped the share session'],
  INVALID_SHARE_SESSION_EPOCH: [123, 'retry', 'the share session is at another epoch'],
  FENCED_STATE_EPOCH: [124, 'final', "the share group's state is at another epoch"],
  INVALID_VOTER_KEY: [125, 'final', "the voter key is not the receiving replica's"],
  DUPLICATE_VOTER: [126, 'final', 'the voter is in the set already'],
  VOTER_NOT_FOUND: [127, 'final', 'the voter is not in the set'],
  INVALID_REGULAR_EXPRESSION: [128, 'final', 'the regular expression is not valid'],
  REBOOTSTRAP_REQUIRED: [
    129,
    'final',
    "the client's metadata is too old: it must begin again at its bootstrap brokers",
  ],
  STREAMS_INVALID_TOPOLOGY: [130, 'final', 'the topology is not valid'],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, 'final', 'the epoch of the topology is not valid'],
  STREAMS_TOPOLOGY_FENCED: [132, 'final', 'the topology is at a newer epoch'],
  SHARE_SESSION_LIMIT_REACHED: [133, 'retry', 'the broker has as many share sessions as it may have'],
} as const satisfies Record<string, ErrorRow>;

/** The name of an error of the protocol, as Kafka has it. */
export type ErrorName = keyof typeof ERRORS;

const ROWS = Object.entries(ERRORS) as [ErrorName, ErrorRow][];
const BY_CODE: ReadonlyMap<
  number,
  { readonly name: ErrorName; readonly remedy: Remedy; readonly description: string }
> = new Map(ROWS.map(([name, [code, remedy, description]]) => [code, { name, remedy, description }]));

/** The number on the wire of every error of the protocol. */
export const ERROR_CODES: Readonly<Record<ErrorName, number>> = Object.freeze(
  Object.fromEntries(ROWS.map(([name, [code]]) => [name, code])) as Record<ErrorName, number>,
);

/** The name of an error code; one that is not known here is an `UNKNOWN_SERVER_ERROR`, as it is for the Java client. */
export function errorName(code: number): ErrorName {
  return BY_CODE.get(code)?.name ?? 'UNKNOWN_SERVER_ERROR';
}

/** Whether the Java client would try again: its RetriableException. */
export function isRetriable(code: number): boolean {
  const row = BY_CODE.get(code);
  return row !== undefined && row.remedy !== 'final';
}

/** Whether the error says that the metadata it was reached by is stale: the Java client's InvalidMetadataException. */
export function isStaleMetadata(code: number): boolean {
  return BY_CODE.get(code)?.remedy === 'refresh';
}

/**
 * The error for a code that a broker answered with. Mostly a {@link KrafkaProtocolError} whose `code` is Kafka's name;
 * a `KrafkaFencedError` when another instance took over, a `KrafkaRecordTooLargeError` when the topic is known and a
 * batch was too large for it, a `KrafkaAuthenticationError` when a credential or mechanism was refused.
 */
export function protocolError(code: number, context: ProtocolErrorContext = {}): KrafkaError {
  const known = BY_CODE.get(code);
  const name = known?.name ?? 'UNKNOWN_SERVER_ERROR';
  const description = known?.description ?? `the broker answered with error code ${code}, which is not known here`;
  switch (name) {
    case 'PRODUCER_FENCED':
    case 'FENCED_INSTANCE_ID':
      return new KrafkaFencedError(sentence(name, description, context));
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
      if (context.topic === undefined) break;
      return new KrafkaRecordTooLargeError(context.topic, `was refused: ${sentence(name, description, context)}`);
    case 'SASL_AUTHENTICATION_FAILED':
    case 'UNSUPPORTED_SASL_MECHANISM':
    case 'ILLEGAL_SASL_STATE':
      return new KrafkaAuthenticationError(
        context.address ?? 'a broker',
        sentence(name, description, { detail: context.detail }),
      );
  }
  return new KrafkaProtocolError(name, description, { ...context, retriable: isRetriable(code) });
}

// The kinds of error that do not carry the context in fields carry it in their message.
function sentence(name: ErrorName, description: string, context: ProtocolErrorContext): string {
  const { api, topic, partition, address, detail } = context;
  const place =
    topic === undefined ? undefined : `topic '${topic}'${partition === undefined ? '' : ` partition ${partition}`}`;
  const where = [api, place, address].filter((part) => part !== undefined);
  return `${name}${where.length === 0 ? '' : ` (${where.join(', ')})`}: ${description}${detail ? ` (${detail})` : ''}`;
}
