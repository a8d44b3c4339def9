const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/**
 * The source map of a text that other texts were copied into line by line. Flat, not in sections: Node reads no others.
 *
 * @see https://tc39.es/ecma426/ for the format
 */
export class SourceMap {
  #sources = [];
  #contents = [];
  /** Of each line of the text, its segments, as numbers that count on from those of the line before. */
  #lines = [];
  /** Where the last segment pointed to: source, line and column. */
  #at = [0, 0, 0];

  /** Adds a text that begins at a line. Its map has one source. */
  add(line, { mappings, sources, sourcesContent }) {
    while (this.#lines.length < line) this.#lines.push('');
    const source = this.#sources.push(sources[0]) - 1;
    this.#contents.push(sourcesContent[0]);
    let [from, row, column] = [0, 0, 0];
    for (const text of mappings.split(';')) {
      const segments = text.split(',').map((segment) => {
        const [generated, ...to] = numbersOf(segment);
        if (to.length === 0) return generated === undefined ? '' : textOf(generated);
        [from, row, column] = [from + to[0], row + to[1], column + to[2]];
        if (from !== 0) throw new Error(`the map of ${sources[0]} has more than one source`);
        return textOf(generated) + this.#towards([source, row, column]);
      });
      this.#lines.push(segments.join(','));
    }
  }

  /** The map as it is written. */
  json(file) {
    return JSON.stringify({
      version: 3,
      file,
      sources: this.#sources,
      sourcesContent: this.#contents,
      names: [],
      mappings: this.#lines.join(';'),
    });
  }

  #towards(place) {
    const text = place.map((value, index) => textOf(value - this.#at[index])).join('');
    this.#at = place;
    return text;
  }
}

/** The numbers of a segment: Base64 digits of five bits each, the lowest first, the sign in the first of them. */
function numbersOf(segment) {
  const numbers = [];
  let number = 0;
  let shift = 0;
  for (const digit of segment) {
    const value = VALUES.get(digit);
    number |= (value & 31) << shift;
    shift += 5;
    if (value & 32) continue;
    numbers.push(number & 1 ? -(number >> 1) : number >> 1);
    number = 0;
    shift = 0;
  }
  return numbers;
}

function textOf(number) {
  let text = '';
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  do {
    const value = rest & 31;
    rest >>= 5;
    text += DIGITS[rest > 0 ? value | 32 : value];
  } while (rest > 0);
  return text;
}
