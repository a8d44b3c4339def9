import { EventEmitter } from 'node:events';

/** Events by name with the type of their one payload. A listener that throws is reported, never felt by the emitter. */
export class TypedEvents<Events extends object> {
  readonly #emitter = new EventEmitter();
  readonly #report: (name: string, error: unknown) => void;

  /** `report` hears of listeners that throw; by default they become a warning of the process. */
  constructor(report: (name: string, error: unknown) => void = warn) {
    this.#report = report;
    // One emitter may have a listener for every borrower; Node's warning at eleven would cry wolf.
    this.#emitter.setMaxListeners(0);
  }

  /** Adds a listener; the answer removes it again. */
  on<Name extends keyof Events & string>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    const guarded = (payload: Events[Name]): void => {
      try {
        listener(payload);
      } catch (error) {
        this.#report(name, error);
      }
    };
    this.#emitter.on(key(name), guarded);
    return () => void this.#emitter.off(key(name), guarded);
  }

  emit<Name extends keyof Events & string>(name: Name, payload: Events[Name]): void {
    this.#emitter.emit(key(name), payload);
  }

  /** True when somebody listens: lets a hot path skip building a payload nobody wants. */
  has(name: keyof Events & string): boolean {
    return this.#emitter.listenerCount(key(name)) > 0;
  }
}

const warn = (name: string, error: unknown): void =>
  process.emitWarning(`a listener of '${name}' threw: ${String(error)}`, 'KrafkaListenerWarning');

// Node treats an unheard 'error' event as a crash; a prefix keeps ours ordinary.
const key = (name: string): string => `krafka:${name}`;
