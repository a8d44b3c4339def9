import { EventEmitter } from 'node:events';

/** Events by name with the type of their one payload. A listener that throws is reported, never felt by the emitter. */
export class TypedEvents<Events extends object> {
  readonly #emitter = new EventEmitter();

  /** Adds a listener; the answer removes it again. */
  on<Name extends keyof Events & string>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    const guarded = (payload: Events[Name]): void => {
      try {
        listener(payload);
      } catch (error) {
        process.emitWarning(`a listener of '${name}' threw: ${String(error)}`, 'KrafkaListenerWarning');
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

// Node treats an unheard 'error' event as a crash; a prefix keeps ours ordinary.
const key = (name: string): string => `krafka:${name}`;
