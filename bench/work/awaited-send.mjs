// One awaited send after another (lingerMs 0), alone and while a consumer of the same client idles in a 500 ms long
// poll: a client with one socket for everything shows the long poll in its sends.
const ROUNDS = 4;
const SENDS = 3_000;

export async function measure({ inProcess }) {
  const seen = { alone: [], beside: [] };
  for (let round = 0; round < ROUNDS; round++) {
    seen.alone.push(inProcess('clients/awaited-send-krafka.mjs', SENDS, 'alone'));
    seen.beside.push(inProcess('clients/awaited-send-krafka.mjs', SENDS, 'beside'));
  }
  const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  const rows = Object.entries(seen).map(([how, runs]) => ({
    sends: how === 'alone' ? 'alone' : 'beside an idle long poll',
    'p50 ms': median(runs.map((run) => run.p50)),
    'p99 ms': median(runs.map((run) => run.p99)),
  }));
  const ratio = rows[1]['p50 ms'] / rows[0]['p50 ms'];
  return {
    rows,
    ratio,
    notes: [`p50 beside / alone: ${ratio.toFixed(2)} (${ROUNDS} interleaved rounds of ${SENDS} sends)`],
  };
}
