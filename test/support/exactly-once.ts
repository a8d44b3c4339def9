import type { ConnectionOptions, Krafka } from '../../lib/core/index.js';
import { CopyingMember, type PointOfDeath } from './copying-member.js';
import { auditLedger, type LedgerFaults } from '../chaos/ledger.js';
import { wholeTopic } from './producer-ledger.js';

export interface ExactlyOncePlan {
  readonly bootstrap: string;
  readonly connection: ConnectionOptions;
  /** A client without trouble: writes the source and reads what came of it. */
  readonly witness: Krafka;
  readonly source: string;
  readonly target: string;
  readonly groupId: string;
  readonly partitions: number;
  readonly records: number;
  readonly members: number;
  readonly transactionTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  /** One member dies at each of these, in turn, and another takes its place. */
  readonly deaths: readonly PointOfDeath[];
  /** Harm done to the connections of members that live, each time so many ms. */
  readonly strike?: { readonly everyMs: number; readonly random: () => number };
}

/** How often nobody is struck while nothing gets on. */
const SPARED_AT_MOST = 50;

/** Copies numbered records from topic to topic in transactions, while members die in the middle of them. */
export async function copyExactlyOnce(
  plan: ExactlyOncePlan,
): Promise<LedgerFaults & { readonly copied: number; readonly failed: number }> {
  const { witness, source, target, partitions, records, deaths, strike } = plan;
  const producer = witness.producer({ lingerMs: 5 });
  // A little at a time, so that whoever dies has something to die over.
  const writing = (async () => {
    for (let from = 0; from < records; from += 200) {
      await producer.sendAll(
        Array.from({ length: Math.min(200, records - from) }, (_, index) => ({
          topic: source,
          partition: (from + index) % partitions,
          value: String(from + index),
        })),
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const dead: CopyingMember[] = [];
  const alive: CopyingMember[] = [];
  const join = (): void => {
    const { bootstrap, connection, groupId, transactionTimeoutMs, sessionTimeoutMs } = plan;
    const consumer = { sessionTimeoutMs, heartbeatIntervalMs: Math.floor(sessionTimeoutMs / 10) };
    alive.push(new CopyingMember({ bootstrap, connection, groupId, source, target, transactionTimeoutMs, consumer }));
  };
  for (let member = 0; member < plan.members; member++) join();
  const top = (): number => alive.concat(dead).reduce((sum, { committed }) => sum + committed, 0);
  // By turns of the clock as long as they get on; on a machine that is slower than the trouble, they are given time to.
  let struckAt = -1;
  let spared = 0;
  const striking =
    strike === undefined
      ? undefined
      : setInterval(() => {
          if (top() === struckAt && ++spared < SPARED_AT_MOST) return;
          struckAt = top();
          spared = 0;
          for (const { proxy } of alive) if (strike.random() < 0.5) proxy.strike(strike.random);
        }, strike.everyMs);
  for (const point of deaths) {
    // Each has seen a transaction of its own before.
    const member = alive[0] as CopyingMember;
    const before = top();
    while (top() < before + 2) await new Promise((resolve) => setTimeout(resolve, 10));
    const died = member.die(point).then(() => true);
    const soon = (): Promise<boolean> => new Promise((resolve) => setTimeout(() => resolve(false), 20));
    // Work for it to die over, however far the others are.
    const work = Array.from({ length: partitions }, (_, partition) => ({ topic: source, partition, value: null }));
    do await producer.sendAll(work);
    while (!(await Promise.race([died, soon()])));
    alive.splice(alive.indexOf(member), 1);
    dead.push(member);
    join();
  }
  await writing;
  clearInterval(striking);
  const { length } = await wholeTopic(witness, source, partitions);
  const group = async (): Promise<number> => {
    const offsets = await witness.admin().listGroupOffsets(plan.groupId);
    return offsets.filter(({ topic }) => topic === source).reduce((sum, { offset }) => sum + (offset ?? 0), 0);
  };
  while ((await group()) < length) await new Promise((resolve) => setTimeout(resolve, 50));
  const copied = await wholeTopic(witness, target, partitions, 'read_committed');
  const failed = alive.concat(dead).reduce((sum, member) => sum + member.failed, 0);
  await Promise.all([...alive, ...dead].map((member) => member.stop()));
  await producer.close();
  const numbers = Array.from({ length: records }, (_, number) => number);
  // What was written for members to die over has no number.
  const numbered = copied.filter(({ number }) => !Number.isNaN(number));
  const faults = auditLedger(numbers, numbered);
  if (copied.length !== length) faults.duplicated.push(copied.length - length);
  return { ...faults, copied: copied.length, failed };
}
