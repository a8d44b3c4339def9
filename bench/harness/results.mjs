import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartOf } from './chart.mjs';
import { markdownOf, rowsOf, summaryOf } from './tables.mjs';

/** What was found out about one kind of work, kept as JSON, as a chart, and as Markdown. */
export class Results {
  #folder;
  #work;
  #machine;
  #order;
  #lines;

  /** @param earlier whether lines of an earlier run stay until they are measured again */
  constructor({ bench, work, machine, order, earlier, quick }) {
    // What a quick run finds is not worth keeping over what a whole one found.
    this.#folder = join(bench, 'results', quick ? 'quick' : '.');
    this.#work = work;
    this.#machine = machine;
    this.#order = order;
    const file = join(this.#folder, `${work}.json`);
    const before = earlier && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).lines : [];
    this.#lines = new Map(before.map((line) => [line.name, line]));
  }

  get lines() {
    return this.#order.map((name) => this.#lines.get(name)).filter((line) => line !== undefined);
  }

  /** Takes what is known of a line, and writes everything: whatever happens next, it is there. */
  write(line) {
    this.#lines.set(line.name, line);
    mkdirSync(this.#folder, { recursive: true });
    const result = { work: this.#work, machine: this.#machine, lines: this.lines };
    writeFileSync(join(this.#folder, `${this.#work}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(this.#folder, `${this.#work}.svg`), chartOf(this.#work, this.lines, this.#machine));
    writeFileSync(join(this.#folder, `${this.#work}.md`), asMarkdown(result));
  }
}

/** A result file's content as Markdown: what must be shown, then each line with all its clients. */
export function asMarkdown({ machine, lines }) {
  const summary = summaryOf(lines);
  return [
    `Node ${machine.node}, Kafka ${machine.kafka}, ${machine.cpus} cores (${machine.model}) shared with the brokers, ${machine.date.slice(0, 16).replace('T', ' ')} UTC.`,
    '',
    ...(summary.length > 0 ? [markdownOf(summary), ''] : []),
    ...lines.flatMap((line) => [
      `**${line.name}**: ${line.says} (${line.rounds} rounds).`,
      '',
      markdownOf(rowsOf(line)),
      '',
      ...line.notes.flatMap((note) => [note, '']),
    ]),
  ].join('\n');
}
