import { existsSync, readFileSync } from 'node:fs';

/** Where the time of a process went: the functions with the most samples of their own, idle time left out. */
export function hottest(file, count = 25) {
  return shares(file, ({ functionName, url, lineNumber }) => {
    const place = url === '' ? '' : ` ${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
    return `${functionName || '(anonymous)'}${place}`;
  }).slice(0, count);
}

/** The same by whose functions they are, and how long there was nothing to do. */
export function byOwner(file) {
  const busy = shares(file, ({ functionName, url }) => {
    if (url.includes('/dist/')) return 'krafka';
    if (url.includes('/bench/')) return 'the benchmark';
    if (/^node:(net|stream|buffer|internal\/(streams|stream_base_commons|js_stream_socket))/.test(url))
      return "Node's sockets and streams";
    if (url.startsWith('node:')) return "Node's timers, queues and the rest";
    if (/^(writev?|writeBuffer|writeUtf8String|writeLatin1String)$/.test(functionName))
      return 'the kernel: writing to sockets';
    if (functionName === '(garbage collector)') return 'garbage collector';
    if (functionName === '(program)') return 'native code: the loop, reading from sockets, V8 itself';
    return 'built-in functions';
  });
  const { samples, timeDeltas, nodes } = read(file) ?? { samples: [], timeDeltas: [], nodes: [] };
  const idle = nodes.find(({ callFrame }) => callFrame.functionName === '(idle)')?.id;
  const idleUs = samples.reduce((sum, id, index) => sum + (id === idle ? timeDeltas[index] : 0), 0);
  return [...busy, { where: '(waiting)', ms: Math.round(idleUs / 1_000), share: '' }];
}

function read(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function shares(file, keyOf) {
  const profile = read(file);
  if (profile === undefined) return [];
  const { nodes, samples, timeDeltas } = profile;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const spent = new Map();
  let busy = 0;
  samples.forEach((id, index) => {
    const { callFrame } = byId.get(id);
    // Starting and stopping the profiler is not the process's work.
    if (callFrame.functionName === '(idle)' || callFrame.url === 'node:inspector') return;
    const us = timeDeltas[index];
    busy += us;
    const key = keyOf(callFrame);
    spent.set(key, (spent.get(key) ?? 0) + us);
  });
  return [...spent]
    .toSorted((a, b) => b[1] - a[1])
    .map(([where, us]) => ({ where, ms: Math.round(us / 1_000), share: `${((us / busy) * 100).toFixed(1)} %` }));
}
