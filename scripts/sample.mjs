// `npm run sample -- <name>`: runs one of sample/, on an embedded broker or on KAFKA_BROKERS. The library must be built.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const program = (name) => fileURLToPath(new URL(`sample/${name}/src/main.ts`, root));
const [, , name = ''] = process.argv;
if (!existsSync(program(name))) {
  const names = readdirSync(new URL('sample', root)).filter((one) => existsSync(program(one)));
  console.error(`usage: npm run sample -- <${names.join(' | ')}>`);
  process.exit(1);
}
const loader = new URL('test/support/typescript.mjs', root).href;
const run = spawnSync(process.execPath, ['--import', loader, program(name)], { stdio: 'inherit' });
process.exit(run.status ?? 1);
