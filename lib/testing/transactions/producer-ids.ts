/** Hands out producer ids, each once. */
export class ProducerIds {
  #next = 0;

  next(): number {
    return this.#next++;
  }
}
