// The last step of `npm run build`: joins the compiled modules into a file for each floor. Node takes a third of a
// millisecond to find and link a module, which made loading the package several times as long as it has to be. Types stay
// where they are, source maps lead to the sources as before, and `exports` names the same files.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graph } from './joining/graph.mjs';
import { JoinedFile } from './joining/joined-file.mjs';

/** Entries, each after those it needs something of, and the file for what only it and those after it need. */
const ENTRIES = [
  // Not for applications: `bench` encodes requests by hand with it.
  ['./core/protocol/index.js', 'protocol.js'],
  ['./core/index.js', 'core.js'],
  ['./index.js', 'nest.js'],
  ['./nest/health/index.js', 'health.js'],
  ['./testing/index.js', 'testing.js'],
];

const folder = 'dist';
const graph = new Graph(folder);
const joined = ENTRIES.map(([entry, name]) => {
  const file = new JoinedFile(`joined/${name}`, graph, folder);
  for (const module of graph.reach(entry)) file.add(module);
  return file;
});
const entries = ENTRIES.map(([entry]) => {
  const file = new JoinedFile(entry.slice(2), graph, folder);
  file.expose(entry);
  return file;
});

for (const path of readdirSync(folder, { recursive: true })) {
  if (/\.js(\.map)?$/.test(path)) rmSync(join(folder, path));
}
mkdirSync(join(folder, 'joined'));
for (const file of [...joined, ...entries]) {
  const { text, map } = file.written();
  writeFileSync(join(folder, file.path), text);
  writeFileSync(join(folder, `${file.path}.map`), map);
}
