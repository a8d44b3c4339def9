import {
  decodeBatch,
  ERROR_CODES,
  InitProducerId,
  Produce,
  readBatchHeader,
  type Api,
  type ConsumerRecord,
  type ErrorName,
  type RecordBatchHeader,
  type RequestOf,
} from '../../protocol/index.js';
import { KrafkaConnectionError } from '../../support/index.js';
import type { SendOptions } from '../../network/index.js';
import type { BatchAnswer, ProduceResponse } from '../sender/produce-wave.js';

type ProduceRequest = RequestOf<typeof Produce>;

/** One batch of a Produce request as it was sent. */
export interface SentBatch {
  readonly topic: string;
  readonly partition: number;
  readonly pieces: readonly Buffer[];
  readonly bytes: Buffer;
  readonly header: RecordBatchHeader;
}

/** How a fake broker answers one batch: an error by name, or where it is. */
export type FakeAnswer = Partial<BatchAnswer> | ErrorName;

/** One Produce request on its way; nothing happens to it unless the test says so. */
export class ProduceOnWire {
  readonly batches: readonly SentBatch[];
  settled = false;

  constructor(
    readonly connection: FakeConnection,
    readonly request: ProduceRequest,
    readonly options: SendOptions,
    readonly resolve: (response: ProduceResponse | undefined) => void,
    readonly reject: (error: Error) => void,
  ) {
    this.batches = request.topicData.flatMap(({ name, partitionData }) =>
      partitionData.map(({ index, records }) => {
        const pieces = (Buffer.isBuffer(records) ? [records] : records) as readonly Buffer[];
        const bytes = Buffer.concat(pieces);
        return { topic: name ?? '', partition: index, pieces, bytes, header: readBatchHeader(bytes, 0) };
      }),
    );
  }

  /** Answers each batch: all alike, or by what `each` says of it. */
  answer(
    each: FakeAnswer | ((batch: SentBatch) => FakeAnswer | undefined) = {},
    nodeEndpoints: ProduceResponse['nodeEndpoints'] = [],
  ): void {
    const answerOf = typeof each === 'function' ? each : (): FakeAnswer => each;
    this.settled = true;
    this.connection.answered(this);
    this.resolve({
      throttleTimeMs: 0,
      nodeEndpoints,
      responses: this.request.topicData.map(({ name, topicId, partitionData }) => ({
        // As a broker at version 13: topics by id alone.
        name: '',
        topicId: topicId ?? '',
        partitionResponses: partitionData.flatMap(({ index }) => {
          const batch = this.batches.find((one) => one.topic === name && one.partition === index) as SentBatch;
          const answer = answerOf(batch);
          return answer === undefined ? [] : [fullAnswer(index, answer)];
        }),
      })),
    });
  }

  /** The attempt ends without an answer. */
  fail(error: Error = new KrafkaConnectionError(this.connection.address, 'reset by the test')): void {
    this.settled = true;
    this.connection.answered(this);
    this.reject(error);
  }
}

function fullAnswer(index: number, answer: FakeAnswer): BatchAnswer {
  const given = typeof answer === 'string' ? { errorCode: ERROR_CODES[answer] } : answer;
  return {
    index,
    errorCode: ERROR_CODES.NONE,
    baseOffset: 0,
    logAppendTimeMs: -1,
    logStartOffset: 0,
    recordErrors: [],
    errorMessage: null,
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    ...given,
  };
}

/** A connection that shows what was sent on it. */
export class FakeConnection {
  usable = true;
  /** Produce requests that the test has not settled. */
  onWire: ProduceOnWire[] = [];
  /** Every Produce request ever. */
  readonly produced: ProduceOnWire[] = [];
  /** What becomes of a Produce request as soon as it comes. Default: nothing. */
  onProduce: (produce: ProduceOnWire) => void = () => undefined;
  onInitProducerId: () => Promise<{ producerId: number; producerEpoch: number; errorCode: number }> = () =>
    Promise.resolve({ producerId: 7, producerEpoch: 0, errorCode: 0 });
  initProducerIds = 0;

  constructor(
    readonly address: string,
    readonly place: number,
  ) {}

  sendRequest(api: Api, request: unknown, options: SendOptions = {}): Promise<unknown> {
    if (api.name === InitProducerId.name) {
      this.initProducerIds++;
      return this.onInitProducerId();
    }
    if (api.name !== Produce.name) throw new Error(`${api.name} was not expected`);
    return new Promise<ProduceResponse | undefined>((resolve, reject) => {
      const produce = new ProduceOnWire(this, request as ProduceRequest, options, resolve, reject);
      this.onWire.push(produce);
      this.produced.push(produce);
      this.onProduce(produce);
    });
  }

  answered(produce: ProduceOnWire): void {
    this.onWire = this.onWire.filter((one) => one !== produce);
  }

  /** Cuts it: everything on it fails, in order. */
  cut(): void {
    this.usable = false;
    for (const produce of [...this.onWire]) produce.fail();
  }
}

/** The sockets to one broker. */
export class FakeBundle {
  readonly members: (FakeConnection | undefined)[];
  #turn = 0;

  constructor(
    readonly address: string,
    readonly length: number,
  ) {
    this.members = Array.from({ length }, (_, place) => new FakeConnection(address, place));
  }

  get usableCount(): number {
    return this.members.filter((member) => member?.usable === true).length;
  }

  get(place: number): FakeConnection | undefined {
    const member = this.members[place];
    return member?.usable === true ? member : undefined;
  }

  select(): FakeConnection {
    for (let tried = 0; tried < this.length; tried++) {
      const member = this.get(this.#turn++ % this.length);
      if (member !== undefined) return member;
    }
    throw new KrafkaConnectionError(this.address, 'none is usable');
  }

  /** Puts a fresh connection in the place of one that is gone. */
  redial(place = 0): FakeConnection {
    const member = new FakeConnection(this.address, place);
    member.onProduce = this.members[place]?.onProduce ?? member.onProduce;
    this.members[place] = member;
    return member;
  }
}

/** The records of a batch, read back. */
export async function recordsOf(batch: SentBatch): Promise<ConsumerRecord[]> {
  return decodeBatch(batch, { topic: batch.topic, partition: batch.partition });
}

/** The values of a batch's records, as text. */
export async function valuesOf(batch: SentBatch): Promise<(string | null)[]> {
  return (await recordsOf(batch)).map(({ value }) => (value === null ? null : value.toString()));
}
