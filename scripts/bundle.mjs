// The last step of `npm run build`: joins the compiled modules into a few files. Node takes a third of a millisecond to find
// and link a module, which made loading the package several times as long as it has to be. Types stay where they are, source
// maps lead to the sources as before, and `exports` names the same files.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const FOLDER = 'dist';
const ENTRIES = [
  'index.js',
  'core/index.js',
  'nest/health/index.js',
  'testing/index.js',
  // Not for applications: `bench` encodes requests by hand with it.
  'core/protocol/index.js',
];

const { outputFiles } = await build({
  entryPoints: ENTRIES.map((entry) => join(FOLDER, entry)),
  outdir: FOLDER,
  outbase: FOLDER,
  chunkNames: 'chunks/[hash]',
  bundle: true,
  // What entries share is in chunks: a class is one class, whichever entry it comes from.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  sourcesContent: false,
  write: false,
  logLevel: 'warning',
});

for (const path of readdirSync(FOLDER, { recursive: true })) {
  if (/\.js(\.map)?$/.test(path)) rmSync(join(FOLDER, path));
}
for (const { path, contents } of outputFiles) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}
