import { ClassicMember, type JoinRequest } from './classic-member.js';

/** The members of one classic group, in the order in which they came: who leads, who is static, which protocol they share. */
export class ClassicMembers implements Iterable<ClassicMember> {
  #byId = new Map<string, ClassicMember>();
  #leaderId: string | undefined;

  [Symbol.iterator](): Iterator<ClassicMember> {
    return [...this.#byId.values()][Symbol.iterator]();
  }

  get size(): number {
    return this.#byId.size;
  }

  get leaderId(): string | undefined {
    return this.#leaderId;
  }

  /** True when every one of them waits in a JoinGroup. */
  get allJoined(): boolean {
    return this.list().every((member) => member.awaitingJoin !== undefined);
  }

  /** The longest that any of them may take to rejoin. */
  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...this.list().map((member) => member.rebalanceTimeoutMs));
  }

  list(): readonly ClassicMember[] {
    return [...this.#byId.values()];
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  find(id: string): ClassicMember | undefined {
    return this.#byId.get(id);
  }

  /** The member of an id that was found to be known. */
  get(id: string): ClassicMember {
    const member = this.#byId.get(id);
    if (member === undefined) throw new Error(`there is no member ${id}`);
    return member;
  }

  static(instanceId: string): ClassicMember | undefined {
    return this.list().find((member) => member.instanceId === instanceId);
  }

  /** The first to come leads. */
  add(member: ClassicMember): void {
    this.#byId.set(member.id, member);
    this.#leaderId ??= member.id;
  }

  /** When the leader goes, the one who came next leads. */
  remove(member: ClassicMember): void {
    this.#byId.delete(member.id);
    if (this.#leaderId === member.id) this.#leaderId = this.#byId.keys().next().value;
  }

  /** Puts a member in the place of another, its lead included. */
  replace(old: ClassicMember, member: ClassicMember): void {
    this.#byId = new Map(this.list().map((other) => (other === old ? [member.id, member] : [other.id, other])));
    if (this.#leaderId === old.id) this.#leaderId = member.id;
  }

  /** Everybody anew, as they were written down. */
  restore(members: readonly ClassicMember[], leaderId: string | undefined): void {
    this.#byId = new Map(members.map((member) => [member.id, member]));
    this.#leaderId = leaderId;
  }

  /** Sees to it that somebody leads who waits in a JoinGroup; false when nobody does. */
  electJoinedLeader(): boolean {
    const leader = this.#leaderId === undefined ? undefined : this.#byId.get(this.#leaderId);
    if (leader?.awaitingJoin !== undefined) return true;
    const joined = this.list().find((member) => member.awaitingJoin !== undefined);
    if (joined === undefined) return false;
    this.#leaderId = joined.id;
    return true;
  }

  /** Whether one of the protocols is known to every member. */
  shareOneOf(protocols: JoinRequest['protocols']): boolean {
    return protocols.some(({ name }) => this.list().every((member) => member.offers(name)));
  }

  /** The protocol that every member has and most prefer; of equals the one that was voted for first. */
  selectProtocol(): string {
    const [first] = this.list();
    const shared = new Set(
      (first?.protocols ?? [])
        .map(({ name }) => name)
        .filter((name) => this.list().every((member) => member.offers(name))),
    );
    const votes = new Map<string, number>();
    for (const member of this) {
      const choice = member.vote(shared);
      if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1);
    }
    let best = '';
    for (const [name, count] of votes) if (count > (votes.get(best) ?? 0)) best = name;
    return best;
  }
}
