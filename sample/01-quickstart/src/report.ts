const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
const bold = (text: string): string => (colour ? `\u001B[1m${text}\u001B[0m` : text);
const faint = (text: string): string => (colour ? `\u001B[2m${text}\u001B[0m` : text);

/** Prints what happened, for a person. */
export class Report {
  readonly #started = performance.now();

  title(text: string, where: string): void {
    console.log(`\n${bold(text)} ${where}`);
  }

  section(text: string): void {
    console.log(`\n${bold(text)}`);
  }

  line(name: string, value: number | string, remark: string): void {
    const shown = typeof value === 'number' ? value.toLocaleString('en-US') : value;
    console.log(`  ${name.padEnd(18)}${shown.padStart(10)}   ${faint(remark)}`);
  }

  json(value: unknown): void {
    console.log(
      JSON.stringify(value, undefined, 2)
        .split('\n')
        .map((line) => `  ${line}`)
        .join('\n'),
    );
  }

  end(): void {
    console.log(`\nEverything closed, ${((performance.now() - this.#started) / 1_000).toFixed(1)} s in all.\n`);
  }
}
