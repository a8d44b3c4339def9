import { best, FIELDS, worst } from './fields.mjs';

// A target is { reach, value(seen), atLeast | atMost, unit }: `seen` are the runs of each client of the line.

/** krafka is at least `factor` times as fast as the best of these clients. */
export function timesAtLeast(factor, clients, field = 'recordsPerSecond', called = clients.join(', ')) {
  return {
    reach: `>= ${factor}x ${called}`,
    unit: 'x',
    atLeast: factor,
    value: (seen) => ratio(best(seen.krafka, field), extreme(Math.max, seen, clients, field)),
  };
}

/** krafka's figure, of which less is better, is at most `factor` times the best of these clients. */
export function timesAtMost(factor, clients, field, called = clients.join(', ')) {
  return {
    reach: `${FIELDS[field].title} <= ${factor}x ${called}`,
    unit: 'x',
    atMost: factor,
    value: (seen) => ratio(best(seen.krafka, field), extreme(Math.min, seen, clients, field)),
  };
}

/** krafka's better run reaches a figure. */
export function atLeast(limit, field, unit) {
  return {
    reach: `>= ${limit.toLocaleString('en')} ${unit}`,
    unit,
    atLeast: limit,
    value: (seen) => best(seen.krafka, field),
  };
}

/** krafka's better run stays below a figure. */
export function atMost(limit, field, unit) {
  return { reach: `<= ${limit} ${unit}`, unit, atMost: limit, value: (seen) => best(seen.krafka, field) };
}

/** Each of krafka's runs stays below a figure: for bounds, which hold always or not at all. */
export function alwaysAtMost(limit, field, unit) {
  return { reach: `<= ${limit} ${unit}`, unit, atMost: limit, value: (seen) => worst(seen.krafka, field) };
}

/**
 * What became of a target: its value, and whether it is met; undefined where it can't be told. `ceiling` names the client of
 * the line that does no client's work: what it would have reached in krafka's place is said beside it.
 */
export function judge({ reach, unit, value, atLeast: least, atMost: most }, seen, ceiling) {
  const reached = value(seen);
  if (reached === undefined || !Number.isFinite(reached)) return { reach, value: undefined, met: undefined };
  const highest = ceiling === undefined ? undefined : value({ ...seen, krafka: seen[ceiling] });
  return {
    reach,
    unit,
    value: Number(reached.toPrecision(4)),
    met: least === undefined ? reached <= most : reached >= least,
    ...(Number.isFinite(highest) ? { ceiling: Number(highest.toPrecision(4)) } : {}),
  };
}

function extreme(choose, seen, clients, field) {
  const values = clients.map((client) => best(seen[client], field)).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : choose(...values);
}

function ratio(own, other) {
  return own === undefined || other === undefined ? undefined : own / other;
}
