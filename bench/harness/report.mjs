import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asMarkdown } from './results.mjs';

const WORKS = ['produce', 'consume', 'rpc', 'events', 'awaited-send', 'idle'];

/** Writes what bench/results holds into docs/performance.md, between its marks, and the charts beside it. */
export async function report(bench) {
  const docs = join(bench, '../docs');
  const page = join(docs, 'performance.md');
  let text = readFileSync(page, 'utf8');
  for (const work of WORKS) {
    const file = join(bench, 'results', `${work}.json`);
    if (!existsSync(file)) {
      console.log(`${work}: not measured`);
      continue;
    }
    const [from, to] = [`<!-- measured: ${work} -->`, `<!-- end: ${work} -->`];
    const [start, end] = [text.indexOf(from), text.indexOf(to)];
    if (start < 0 || end < start) throw new Error(`docs/performance.md has no place for ${work}: ${from} ... ${to}`);
    mkdirSync(join(docs, 'performance'), { recursive: true });
    copyFileSync(join(bench, 'results', `${work}.svg`), join(docs, 'performance', `${work}.svg`));
    const measured = [
      from,
      '',
      `![${work}: krafka beside other clients](performance/${work}.svg)`,
      '',
      asMarkdown(JSON.parse(readFileSync(file, 'utf8'))),
    ].join('\n');
    text = text.slice(0, start) + measured + text.slice(end);
    console.log(`${work}: written`);
  }
  writeFileSync(page, text);
  const format = spawnSync('npx', ['prettier', '--write', page], { cwd: join(bench, '..'), stdio: 'inherit' });
  if (format.status !== 0) throw new Error('prettier did not format docs/performance.md');
}
