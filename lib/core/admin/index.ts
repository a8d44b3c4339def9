export { Admin, type ClusterDescription } from './admin.js';
export { KrafkaAggregateError } from './aggregate-error.js';
export type { AdminOptions, CallOptions } from './call-options.js';
export type {
  AlterConfigsOptions,
  ConfigChange,
  ConfigDescription,
  ConfigEntry,
  ConfigQuery,
  ConfigResource,
  ConfigResourceType,
  ConfigSource,
  DescribeConfigsOptions,
} from './configs.js';
export type { ListGroupOffsetsOptions } from './group-offsets.js';
export type {
  ClassicGroupDescription,
  ConsumerGroupDescription,
  ConsumerMemberDescription,
  GroupDescription,
  GroupListing,
  ListGroupsOptions,
  MemberDescription,
  ShareGroupDescription,
  ShareMemberDescription,
  TopicPartitions,
} from './groups.js';
export type { ListShareGroupOffsetsOptions, ShareGroupOffset } from './share-group-offsets.js';
export type { ResetOffset, ResetOffsetsOptions, ResetTarget } from './reset-offsets.js';
export type { ListedOffset, ListOffsetsOptions, OffsetPoint, OffsetQuery } from './partition-offsets.js';
export type {
  CreatedTopic,
  CreatePartitionsOptions,
  CreateTopicsOptions,
  DeleteTopicsOptions,
  ListTopicsOptions,
  NewPartitions,
  TopicSpec,
} from './topic-options.js';
