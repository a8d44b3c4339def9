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
for (const { path, text } of outputFiles) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, path.endsWith('.js') ? withNames(text) : text);
}

// A class that speaks of itself, or is decorated, is written as `var A = class _A` or `A2`, and logs would say that. What
// esbuild has against it (`keepNames`) names every function as well, closures of hot paths included, each time one is made.
function withNames(text) {
  const named = "static { Object.defineProperty(this, 'name', { value: '$1', configurable: true }); }";
  return text.replaceAll(/^var (\w+) =( \w+ =)? class (_\1|\1\d+)( extends [^{\n]+)? \{$/gm, `$& ${named}`);
}
