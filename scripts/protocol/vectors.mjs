// `npm run vectors`: writes test/vectors anew, one file an API, from the official Java client's own classes. Run it
// when an API or a version is added; the files are the same again as long as neither changes. Needs Java.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { ensureJars, whatIsMissing } from '../kafka/jars.mjs';

const KAFKA_VERSION = '4.3.1';
const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = join(root, 'lib/core/protocol/apis');
const target = join(root, 'test/vectors');

/** Every API spoken here, as `Fetch:4-18`. */
function apis() {
  return readdirSync(sources, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .map((file) =>
      /defineApi\(\{\s*name: '(\w+)',\s*versions: '([\d-]+)'/.exec(readFileSync(join(sources, file), 'utf8')),
    )
    .filter((found) => found !== null)
    .map(([, name, versions]) => `${name}:${versions}`)
    .toSorted();
}

function jars() {
  if (process.env.KAFKA_JARS) return process.env.KAFKA_JARS;
  const missing = whatIsMissing(KAFKA_VERSION);
  if (missing !== undefined) throw new Error(`vectors can't be written here: ${missing} is missing`);
  return ensureJars(KAFKA_VERSION);
}

const program = fileURLToPath(new URL('WireVectors.java', import.meta.url));
const run = spawnSync('java', ['-cp', join(jars(), '*'), program, ...apis()], {
  encoding: 'utf8',
  maxBuffer: 256 * 1024 * 1024,
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (run.status !== 0) throw new Error(`WireVectors.java ended with ${run.status}`);

const files = new Map();
for (const line of run.stdout.trimEnd().split('\n')) {
  const { api, ...vector } = JSON.parse(line);
  files.set(api, `${files.get(api) ?? ''}${JSON.stringify(vector)}\n`);
}
mkdirSync(target, { recursive: true });
for (const file of readdirSync(target)) if (file.endsWith('.jsonl.gz')) rmSync(join(target, file));
let bytes = 0;
for (const [api, lines] of files) {
  const packed = gzipSync(lines, { level: 9 });
  packed[9] = 255; // the operating system that packed it: none in particular, so that all write the same
  bytes += packed.length;
  writeFileSync(join(target, `${api}.jsonl.gz`), packed);
}
console.log(`vectors: ${run.stdout.split('\n').length - 1} of ${files.size} APIs, ${Math.round(bytes / 1024)} KiB`);
