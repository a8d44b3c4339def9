import { int16, int32, string, defineApi } from '../schema/index.js';

/**
 * Keeps a member in a group of the classic protocol, and tells it of rebalances. Version 3 knows static members
 * (KIP-345).
 */
export const Heartbeat = defineApi({
  name: 'Heartbeat',
  versions: '0-4',
  flexible: '4+',
  request: {
    groupId: string('0+'),
    generationId: int32('0+'),
    memberId: string('0+'),
    groupInstanceId: string('3+', { nullable: '3+', default: null }),
  },
  response: {
    throttleTimeMs: int32('1+', { ignorable: true }),
    errorCode: int16('0+'),
  },
});
