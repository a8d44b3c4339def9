import { isOwn, Module } from './module.mjs';

/** The modules of a folder as they need each other. */
export class Graph {
  #folder;
  #modules = new Map();

  constructor(folder) {
    this.#folder = folder;
  }

  /** Reads a module and all that it needs; answers with those that were not read before, each after those it needs. */
  reach(path) {
    const before = this.#modules.size;
    this.#visit(path, []);
    return [...this.#modules.values()].slice(before);
  }

  module(path) {
    return this.#modules.get(path);
  }

  /** Where a name comes from in the end, however often it is exported again: `{ from, name }`, without a name when it is all of a module. */
  origin(from, name) {
    if (!isOwn(from)) return { from, name };
    const module = this.#modules.get(from);
    if (module.exports.has(name)) return { from, name };
    const again = module.reexports.get(name);
    if (again !== undefined) return again.name === undefined ? again : this.origin(again.from, again.name);
    const star = module.stars.find((other) => this.names(other).has(name));
    if (star === undefined) throw new Error(`${from} exports no ${name}`);
    return this.origin(star, name);
  }

  /** Every name that a module exports. */
  names(from) {
    const { exports, reexports, stars } = this.#modules.get(from);
    return new Set([...exports.keys(), ...reexports.keys(), ...stars.flatMap((star) => [...this.names(star)])]);
  }

  #visit(path, way) {
    if (way.includes(path)) throw new Error(`modules need each other: ${[...way, path].join(' -> ')}`);
    if (this.#modules.has(path)) return;
    const module = new Module(this.#folder, path);
    for (const need of module.needs) if (isOwn(need)) this.#visit(need, [...way, path]);
    this.#modules.set(path, module);
  }
}
