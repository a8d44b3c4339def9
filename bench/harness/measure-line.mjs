import { Krafka } from '../../dist/core/index.js';
import { LineRun } from './line-run.mjs';
import { byOwner, hottest } from './profile.mjs';
import { rowsOf } from './tables.mjs';
import { judge } from './targets.mjs';

/**
 * Measures one line: its clients in turn, round after round, each in a process of its own. What is known is written after
 * every round; a client that fails is said to have failed, and the others go on.
 *
 * A line is { name, says, place, field, clients, targets, ceiling?, prepare?, release?, notes?, rounds? }, `ceiling` the client
 * that does no client's work; a client is a function of (run, prepared) that answers its process's result, or { settings: { name: value }, measure(run, prepared, value, share) }
 * when the best of several settings is to be found first.
 */
export async function measureLine({ line, place, settings, bench, node, write }) {
  const krafka = new Krafka({ brokers: place.brokers, clientId: 'bench-setup' });
  const run = new LineRun({ place, line: line.name, settings, krafka, bench, node });
  const names = Object.keys(line.clients).filter((name) => settings.clients?.includes(name) ?? true);
  const clients = Object.fromEntries(names.map((name) => [name, { runs: [] }]));
  const rounds = Math.min(settings.rounds, line.rounds ?? Infinity);
  console.log(`\n${line.name}: ${line.says}`);
  let prepared;
  try {
    prepared = await line.prepare?.(run);
    for (const name of names) await choose(clients[name], name, line, run, prepared);
    for (let round = 0; round < rounds; round++) {
      for (const name of names) await once(clients[name], name, line, run, prepared);
      write(found(line, clients, round + 1));
    }
  } finally {
    await line.release?.(run, prepared);
    await krafka.close().catch(() => undefined);
  }
  const result = found(line, clients, rounds);
  console.table(rowsOf(result));
  for (const target of result.targets) {
    const met = target.met === undefined ? 'not measured' : target.met ? 'met' : 'NOT MET';
    const ceiling = target.ceiling === undefined ? '' : ` (${line.ceiling}: ${target.ceiling})`;
    console.log(`  ${target.reach}: ${target.value ?? ''} ${met}${ceiling}`);
  }
  for (const profile of new Set(run.profiles)) {
    const spent = hottest(profile);
    if (spent.length === 0) continue;
    console.log(`\n${profile}`);
    console.table(byOwner(profile));
    console.table(spent);
  }
}

/** A client that has settings to choose from is tried with each, in short, and keeps the best. */
async function choose(client, name, line, run, prepared) {
  const { settings, measure } = line.clients[name];
  if (settings === undefined) return;
  let most = -Infinity;
  for (const [setting, value] of Object.entries(settings)) {
    const result = await attempt(() => measure(run, prepared, value, 0.2));
    const reached = result[line.field] ?? -Infinity;
    if (client.setting === undefined || reached > most) [client.setting, most] = [setting, reached];
  }
}

async function once(client, name, line, run, prepared) {
  if (client.absent !== undefined) return;
  const given = line.clients[name];
  const result = await attempt(() =>
    typeof given === 'function'
      ? given(run, prepared)
      : given.measure(run, prepared, given.settings[client.setting], 1),
  );
  if (result.absent !== undefined) client.absent = result.absent;
  else if (result.failed !== undefined) client.failed = result.failed;
  else client.runs.push(result);
  const said = result.failed ?? result.absent ?? JSON.stringify(result);
  console.log(`  ${name}${client.setting === undefined ? '' : ` (${client.setting})`}: ${said}`);
}

async function attempt(measure) {
  try {
    return await measure();
  } catch (error) {
    return { failed: String(error.message ?? error) };
  }
}

function found(line, clients, rounds) {
  const seen = Object.fromEntries(Object.entries(clients).map(([name, { runs }]) => [name, runs]));
  return {
    name: line.name,
    says: line.says,
    field: line.field,
    rounds,
    measuredAt: new Date().toISOString(),
    clients,
    targets: (line.targets ?? []).map((target) => judge(target, seen, line.ceiling)),
    notes: line.notes ?? [],
  };
}
