import { Heartbeat, Produce, type Api, type RequestOf } from '../../protocol/index.js';

/** A request of the high-priority kind. */
export const heartbeat: RequestOf<typeof Heartbeat> = { groupId: 'g', generationId: 1, memberId: 'm' };

/** A request of the normal kind; `timeoutMs` is the number that a test knows it by. */
export const produce = (number = 0): RequestOf<typeof Produce> => ({ acks: 1, timeoutMs: number, topicData: [] });

/** Answers without content, by API. */
export const EMPTY_ANSWERS: Readonly<Partial<Record<Api['name'], object>>> = {
  Heartbeat: { throttleTimeMs: 0, errorCode: 0 },
  Produce: { responses: [], throttleTimeMs: 0, nodeEndpoints: [] },
};
