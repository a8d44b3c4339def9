import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { isOwn } from './module.mjs';
import { SourceMap } from './source-map.mjs';

/**
 * Modules in one file, in the order in which they need each other. Each keeps a scope of its own, a function that is called
 * at once and answers with what the module exports: nothing has to be renamed, and a bundler can leave out what is not used.
 */
export class JoinedFile {
  /** Where it goes in the folder, e.g. `joined/core.js`. */
  path;
  #graph;
  #folder;
  #modules = new Set();
  /** What packages are called here, by their names. */
  #packages = new Map();
  /** Which modules of other files are used here, by the files' paths. */
  #others = new Map();
  #lines = [];
  /** The maps of the modules: where each begins, and whose source it leads to. */
  #maps = [];

  constructor(path, graph, folder) {
    this.path = path;
    this.#graph = graph;
    this.#folder = folder;
  }

  add(module) {
    module.file = this;
    // One that only passes on what others export has nothing to run.
    if (module.exports.size === 0) return;
    this.#modules.add(module);
    const bindings = module.imports.map((one) => this.#binding(one));
    this.#write(`const ${module.name} = /* @__PURE__ */ (() => {${bindings.join('')}`);
    const map = JSON.parse(readFileSync(posix.join(this.#folder, `${module.path}.map`), 'utf8'));
    this.#maps.push({ line: this.#lines.length, map: { ...map, sources: [this.#source(module, map)] } });
    this.#write(module.body);
    this.#write(`return { ${pairs([...module.exports])} };\n})();`);
  }

  /** Exports what an entry does, under the names it does. */
  expose(entry) {
    for (const name of this.#graph.names(entry)) {
      const origin = this.#graph.origin(entry, name);
      if (origin.name === undefined) this.#write(`export const ${name} = ${this.#whole(origin.from)};`);
      else this.#write(`export const ${name} = ${this.#owner(origin.from)}.${origin.name};`);
    }
  }

  /** The text, and its source map. */
  written() {
    const head = [
      ...[...this.#packages].map(([from, local]) => `import * as ${local} from '${from}';`),
      ...[...this.#others].map(([path, modules]) => `import { ${[...modules].join(', ')} } from '${this.#to(path)}';`),
    ];
    const names = [...this.#modules].map(({ name }) => name);
    const exported = names.length === 0 ? [] : [`export { ${names.join(', ')} };`];
    const sourceMap = new SourceMap();
    for (const { line, map } of this.#maps) sourceMap.add(head.length + line, map);
    const name = posix.basename(this.path);
    return {
      text: [...head, ...this.#lines, ...exported, `//# sourceMappingURL=${name}.map`, ''].join('\n'),
      map: sourceMap.json(name),
    };
  }

  #write(text) {
    this.#lines.push(...text.split('\n'));
  }

  /** What an import becomes at the head of a module's function. */
  #binding({ from, names, namespace }) {
    if (namespace !== undefined) return ` const ${namespace} = ${this.#whole(from)};`;
    const bindings = [];
    const byOwner = new Map();
    for (const [name, local] of names) {
      const origin = this.#graph.origin(from, name);
      if (origin.name === undefined) bindings.push(` const ${local} = ${this.#whole(origin.from)};`);
      else {
        const owner = this.#owner(origin.from);
        byOwner.set(owner, [...(byOwner.get(owner) ?? []), [origin.name, local]]);
      }
    }
    for (const [owner, found] of byOwner) bindings.push(` const { ${pairs(found)} } = ${owner};`);
    return bindings.join('');
  }

  /** Everything that a module exports, as one object. */
  #whole(from) {
    if (!isOwn(from)) return this.#owner(from);
    const names = [...this.#graph.names(from)]
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((name) => {
        const origin = this.#graph.origin(from, name);
        return origin.name === undefined
          ? `${name}: ${this.#whole(origin.from)}`
          : `${name}: ${this.#owner(origin.from)}.${origin.name}`;
      });
    return `Object.freeze({ __proto__: null, ${names.join(', ')} })`;
  }

  /** What a package or a module is called here. */
  #owner(from) {
    if (isOwn(from)) return this.#module(this.#graph.module(from));
    const local = this.#packages.get(from) ?? `$$${from.replaceAll(/[^a-zA-Z0-9]+/g, '_')}`;
    this.#packages.set(from, local);
    return local;
  }

  /** A module's source as it is found from here. */
  #source({ path }, { sources: [source] }) {
    return posix.relative(posix.dirname(this.path), posix.join(posix.dirname(path), source));
  }

  #to(path) {
    const to = posix.relative(posix.dirname(this.path), path);
    return to.startsWith('.') ? to : `./${to}`;
  }

  #module({ name, file }) {
    if (file !== this) this.#others.set(file.path, (this.#others.get(file.path) ?? new Set()).add(name));
    return name;
  }
}

const pairs = (names) => names.map(([from, to]) => (from === to ? from : `${from}: ${to}`)).join(', ');
