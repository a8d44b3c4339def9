// What anybody may do at a broker without authorizer: bits by AclOperation's numbers (KIP-430).

export const TOPIC_OPERATIONS = 3_576;
export const CLUSTER_OPERATIONS = 8_096;
export const GROUP_OPERATIONS = 3_400;
/** Says that nobody asked. */
export const OPERATIONS_UNASKED = -2_147_483_648;
