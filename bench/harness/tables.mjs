import { best, FIELDS, worst } from './fields.mjs';

/** The rows of one line: a client each, its better run and the worse beside it, and how krafka compares. */
export function rowsOf(line) {
  const { field, clients } = line;
  const own = best(clients.krafka?.runs, field);
  const fields = Object.keys(FIELDS).filter(
    (name) => name !== field && Object.values(clients).some(({ runs }) => best(runs, name) !== undefined),
  );
  return Object.entries(clients).map(([client, { runs, absent, failed, setting }]) => {
    const name = setting === undefined ? client : `${client} (${setting})`;
    const value = best(runs, field);
    if (value === undefined)
      return { client: name, [FIELDS[field].title]: failed === undefined ? (absent ?? 'not run') : 'failed' };
    const row = {
      client: name,
      [FIELDS[field].title]: value,
      worse: worst(runs, field),
      'krafka is': compared(own, value),
    };
    for (const other of fields) {
      const shown = (FIELDS[other].shown === 'worst' ? worst : best)(runs, other);
      row[FIELDS[other].title] = shown ?? '';
    }
    return row;
  });
}

/** The summary: one row for each thing that a line must show. */
export function summaryOf(lines) {
  const targets = lines.flatMap((line) => line.targets);
  const hasCeilings = targets.some(({ ceiling }) => ceiling !== undefined);
  return lines.flatMap((line) =>
    line.targets.map(({ reach, value, unit, met, ceiling }) => ({
      line: line.name,
      krafka: inWords(best(line.clients.krafka?.runs, line.field)),
      reach,
      reached: value === undefined ? 'not measured' : measured(value, unit),
      ...(hasCeilings ? { raw: ceiling === undefined ? '' : measured(ceiling, unit) } : {}),
      met: met === undefined ? '?' : met ? 'yes' : 'NO',
    })),
  );
}

const measured = (value, unit) => (unit === 'x' ? `${value}x` : `${inWords(value)} ${unit}`);

/** A table of rows in Markdown. */
export function markdownOf(rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(columns),
    line(columns.map((column) => (typeof rows[0]?.[column] === 'number' ? '---:' : '---'))),
    ...rows.map((row) => line(columns.map((column) => inWords(row[column] ?? '')))),
  ].join('\n');
}

export function inWords(value) {
  if (value === undefined) return '';
  if (typeof value !== 'number') return String(value);
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : String(value);
}

function compared(own, other) {
  if (own === undefined || other === 0) return '';
  return `${(own / other).toFixed(2)}x`;
}
