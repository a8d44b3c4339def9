// What a client costs that does nothing: a producer that has sent once and a subscribed consumer with nothing to read,
// each client in a process of its own, at its default fetch wait. Milliseconds of CPU a second.
const ROUNDS = 2;
const SECONDS = 20;

export async function measure({ inProcess }) {
  const clients = { krafka: 'clients/idle-krafka.mjs', kafkajs: 'clients/idle-kafkajs.mjs' };
  const seen = Object.fromEntries(Object.keys(clients).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, file] of Object.entries(clients)) seen[name].push(inProcess(file, SECONDS).cpuMsPerSecond);
  }
  const rows = Object.entries(seen).map(([client, values]) => ({
    client,
    'best ms/s': Math.min(...values),
    'worst ms/s': Math.max(...values),
  }));
  return { rows, notes: [`${ROUNDS} rounds of ${SECONDS} s, interleaved`] };
}
