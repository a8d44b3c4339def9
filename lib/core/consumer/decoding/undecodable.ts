import type { KrafkaSerializationError } from '../../support/index.js';

/** Thrown through a handler for a record that can't be read: what it means is not the handler's to say. */
export class Undecodable {
  readonly error: KrafkaSerializationError;

  constructor(error: KrafkaSerializationError) {
    this.error = error;
  }
}
