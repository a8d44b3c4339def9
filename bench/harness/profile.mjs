import { existsSync, readFileSync } from 'node:fs';

/** Where the time of a process went: the functions with the most samples of their own, idle time left out. */
export function hottest(file, count = 25) {
  if (!existsSync(file)) return [];
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const spent = new Map();
  let busy = 0;
  samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    if (functionName === '(idle)') return;
    const us = timeDeltas[index];
    busy += us;
    const place = url === '' ? '' : ` ${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
    const key = `${functionName || '(anonymous)'}${place}`;
    spent.set(key, (spent.get(key) ?? 0) + us);
  });
  return [...spent]
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([where, us]) => ({ where, ms: Math.round(us / 1_000), share: `${((us / busy) * 100).toFixed(1)} %` }));
}
