import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { MemberTask } from './ledger-member.js';

const LOADER = new URL('../support/typescript.mjs', import.meta.url).href;
const SCRIPT = fileURLToPath(new URL('./ledger-member.ts', import.meta.url));

/** A member in a process of its own. */
class Member {
  readonly #child: ChildProcess;
  /** What it told beyond that it has started. */
  readonly complaints: string[] = [];
  readonly ended: Promise<number | null>;

  constructor(task: MemberTask) {
    this.#child = spawn(process.execPath, ['--import', LOADER, SCRIPT, JSON.stringify(task)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdin?.on('error', () => undefined);
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      const { word, error } = JSON.parse(line) as { word: string; error?: string };
      if (word !== 'started') this.complaints.push(error === undefined ? word : `${word}: ${error}`);
    });
    this.ended = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  leave(): void {
    this.#child.stdin?.write('leave\n');
  }
}

/** A group of members that come, go, are killed and frozen. */
export class LedgerGroup {
  readonly #task: MemberTask;
  #members: Member[] = [];
  /** What members told that none should have to tell while everything goes in good order. */
  readonly complaints: string[] = [];

  constructor(task: MemberTask, count: number) {
    this.#task = task;
    for (let index = 0; index < count; index++) this.join();
  }

  get groupId(): string {
    return this.#task.groupId;
  }

  get size(): number {
    return this.#members.length;
  }

  join(): void {
    this.#members.push(new Member(this.#task));
  }

  /** The member that is there longest leaves in good order; waits until it has. */
  async leave(): Promise<void> {
    const member = this.#members.shift();
    if (member === undefined) return;
    member.leave();
    const code = await member.ended;
    this.complaints.push(...member.complaints);
    if (code !== 0) this.complaints.push(`a member ended with ${code}`);
  }

  /** The member that is there longest is killed. */
  async kill(): Promise<void> {
    const member = this.#members.shift();
    if (member === undefined) return;
    member.signal('SIGKILL');
    await member.ended;
    this.complaints.push(...member.complaints);
  }

  /** The member that is there longest stands still for a while, and then goes on as if nothing had been. */
  freeze(): () => void {
    const [member] = this.#members;
    member?.signal('SIGSTOP');
    return () => member?.signal('SIGCONT');
  }

  async close(): Promise<void> {
    const leaving = this.#members.map(() => this.leave());
    await Promise.all(leaving);
  }

  /** Ends everything at once, whatever state it is in. */
  abandon(): void {
    for (const member of this.#members) member.signal('SIGKILL');
    this.#members = [];
  }
}
