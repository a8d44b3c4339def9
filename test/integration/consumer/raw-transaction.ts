import type { BrokerConnection, Krafka } from '../../../lib/core/index.js';
import {
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
  Produce,
  protocolError,
  RecordBatchBuilder,
} from '../../../lib/core/protocol/index.js';
import { Deadline, systemClock } from '../../../lib/core/support/index.js';

function ok(errorCode: number): void {
  if (errorCode !== 0) throw protocolError(errorCode);
}

/** A transactional producer of few words, request by request, for a cluster of one broker. */
export class RawTransactions {
  static async open(krafka: Krafka, transactionalId: string): Promise<RawTransactions> {
    const deadline = new Deadline(systemClock, 10_000, 'test');
    const coordinator = await krafka.cluster.coordinator('transaction', transactionalId, { deadline });
    const connection = await krafka.cluster.connection(coordinator.nodeId, 'data', { deadline });
    for (;;) {
      const made = await connection.sendRequest(InitProducerId, { transactionalId, transactionTimeoutMs: 60_000 });
      if (made.errorCode === 0)
        return new RawTransactions(krafka, transactionalId, connection, made.producerId, made.producerEpoch);
      const error = protocolError(made.errorCode);
      if (!error.retriable) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #sequence = 0;

  private constructor(
    readonly krafka: Krafka,
    readonly transactionalId: string,
    readonly connection: BrokerConnection,
    readonly producerId: number,
    readonly producerEpoch: number,
  ) {}

  /** Writes values to partition 0 of a topic, in the transaction that is open or begins with it. */
  async write(topic: string, values: readonly string[]): Promise<void> {
    const { transactionalId, producerId, producerEpoch, connection } = this;
    const added = await this.#patiently(
      () =>
        connection.sendRequest(
          AddPartitionsToTxn,
          {
            v3AndBelowTransactionalId: transactionalId,
            v3AndBelowProducerId: producerId,
            v3AndBelowProducerEpoch: producerEpoch,
            v3AndBelowTopics: [{ name: topic, partitions: [0] }],
          },
          { maxVersion: 3 },
        ),
      ({ resultsByTopicV3AndBelow }) => resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1,
    );
    ok(added);
    const builder = new RecordBatchBuilder({ maxBytes: 1 << 20 });
    for (const value of values) builder.append(Date.now(), null, value);
    builder.close();
    const records = builder.seal({ producerId, producerEpoch, baseSequence: this.#sequence, transactional: true });
    this.#sequence += values.length;
    const produced = await this.#patiently(
      () =>
        connection.sendRequest(
          Produce,
          {
            transactionalId,
            acks: -1,
            timeoutMs: 10_000,
            topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
          },
          { maxVersion: 11 },
        ),
      ({ responses }) => responses[0]?.partitionResponses[0]?.errorCode ?? -1,
    );
    ok(produced);
  }

  /** Ends the transaction. */
  async end(how: 'commit' | 'abort'): Promise<void> {
    const { transactionalId, producerId, producerEpoch, connection } = this;
    const code = await this.#patiently(
      () =>
        connection.sendRequest(
          EndTxn,
          { transactionalId, producerId, producerEpoch, committed: how === 'commit' },
          { maxVersion: 4 },
        ),
      ({ errorCode }) => errorCode,
    );
    ok(code);
  }

  /** A topic may be too new to be led, and markers are written after the answer: what comes next may have to wait. */
  async #patiently<T>(send: () => Promise<T>, codeOf: (answer: T) => number): Promise<number> {
    for (;;) {
      const code = codeOf(await send());
      if (code === 0 || !protocolError(code).retriable) return code;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
