/** Every character that a topic's name may have, in order. */
const NAME_CHARACTERS = '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
/** What no topic's name has: where a pattern asks for something that no name can have. */
const NEVER = '/';
/** Kafka's own topics (`Topic.isInternal`). */
const INTERNAL_TOPICS = ['__consumer_offsets', '__transaction_state', '__share_group_state'];
/** RE2 repeats nothing more often than this, repeats within repeats multiplied. */
const MOST_REPEATS = 1_000;
const MOST_NESTING = 100;
/** The longest string of the wire format. */
const MOST_CHARACTERS = 32_767;

const QUANTIFIER = /(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/y;
const GROUP = /\((?:\?(?::|<[^=!>][^>]*>))?/y;
/** One escape that stands for a character or a class of them; what `u` and `v` read otherwise comes first. */
const UNICODE_ESCAPE = /\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u\{[^}]+\}|[pP]\{[^}]+\})/y;
const ESCAPE = /\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|c[A-Za-z]|0(?!\d)|[^c\dk])/sy;

/**
 * The regular expression by which a group's coordinator finds the topics that `pattern` finds by `RegExp.test`, `g` and
 * `y` left aside (KIP-848: RE2 syntax, matched against whole names). Undefined where there is none: look-around, back
 * references, modifiers, strings within classes, repeats beyond RE2's; and where it would find Kafka's internal topics, which the
 * coordinator gives out like any other.
 *
 * Only its structure is carried over. Each of its characters and classes becomes the set of those characters of topic
 * names that JavaScript itself says it matches, so flags, escapes, properties and folding of case mean what they mean here.
 */
export function coordinatorPatternOf(pattern: RegExp): string | undefined {
  const searching = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''));
  if (INTERNAL_TOPICS.some((topic) => searching.test(topic))) return undefined;
  try {
    const translated = new Translation(pattern).whole();
    if (translated.length > MOST_CHARACTERS) return undefined;
    // To a coordinator the empty string is no pattern at all.
    return translated === '' ? NEVER : translated;
  } catch (error) {
    if (error instanceof Untranslatable) return undefined;
    throw error;
  }
}

class Untranslatable extends Error {}

/** A part of the translation, and how often what is in it is repeated at most. */
interface Part {
  readonly text: string;
  readonly repeats: number;
}

class Translation {
  readonly #source: string;
  /** `u` or `v`, where the pattern is read by code points. */
  readonly #unicode: string;
  /** The flags that a single character depends on. */
  readonly #flags: string;
  readonly #sets = new Map<string, string>();
  #at = 0;
  #depth = 0;

  constructor({ source, flags, ignoreCase }: RegExp) {
    this.#source = source;
    this.#unicode = flags.replaceAll(/[^uv]/g, '');
    this.#flags = `${ignoreCase ? 'i' : ''}${this.#unicode}`;
  }

  /** The pattern as one that has to match whole names. */
  whole(): string {
    return this.#alternatives()
      .map((terms) => {
        const from = terms[0]?.text === '^' ? 1 : 0;
        const to = terms.length > from && terms.at(-1)?.text === '$' ? terms.length - 1 : terms.length;
        return `${from === 0 ? '.*' : ''}${textOf(terms.slice(from, to))}${to === terms.length ? '.*' : ''}`;
      })
      .join('|');
  }

  #alternatives(): Part[][] {
    const alternatives: Part[][] = [[]];
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        this.#at++;
        alternatives.push([]);
      } else {
        alternatives.at(-1)?.push(this.#term());
      }
    }
    return alternatives;
  }

  #term(): Part {
    const character = this.#source[this.#at];
    if (character === '^' || character === '$') return { text: this.#take(1), repeats: 1 };
    const boundary = this.#read(/\\[bB]/y)?.[0];
    if (boundary !== undefined) return { text: boundary, repeats: 1 };
    return this.#repeated(character === '(' ? this.#group() : { text: this.#set(this.#atom()), repeats: 1 });
  }

  #group(): Part {
    const opening = this.#read(GROUP)?.[0];
    // Look-around and modifiers (where what engines do differs) are not read as a group's opening.
    if (opening === undefined || this.#source[this.#at] === '?') throw new Untranslatable();
    if (++this.#depth > MOST_NESTING) throw new Untranslatable();
    const alternatives = this.#alternatives();
    this.#depth--;
    this.#take(1);
    return {
      text: `(?:${alternatives.map(textOf).join('|')})`,
      repeats: Math.max(1, ...alternatives.flat().map(({ repeats }) => repeats)),
    };
  }

  #repeated({ text, repeats }: Part): Part {
    const quantifier = this.#read(QUANTIFIER);
    if (quantifier === undefined) return { text, repeats };
    const [all, least, most = least] = quantifier;
    // Greedy or not: the same names match.
    if (least === undefined) return { text: text + all.slice(0, 1), repeats };
    const times = Math.max(1, Number(least), Number(most)) * repeats;
    if (times > MOST_REPEATS) throw new Untranslatable();
    const bounds = most === least ? least : `${least},${most}`;
    return { text: Number(most) === 0 && most !== '' ? '' : `${text}{${bounds}}`, repeats: times };
  }

  /** The source of what matches exactly one character. */
  #atom(): string {
    const character = this.#source[this.#at] as string;
    if (character === '[') return this.#class();
    if (character !== '\\') {
      return this.#take(this.#unicode === '' ? 1 : String.fromCodePoint(this.#source.codePointAt(this.#at)!).length);
    }
    const escape = (this.#unicode === '' ? undefined : this.#read(UNICODE_ESCAPE)) ?? this.#read(ESCAPE);
    if (escape === undefined) throw new Untranslatable();
    return escape[0];
  }

  #class(): string {
    const from = this.#at;
    let depth = 0;
    do {
      const character = this.#take(1);
      if (character === '\\') {
        // A class may match several characters by it.
        if (this.#take(1) === 'q' && this.#unicode === 'v') throw new Untranslatable();
      } else if (character === '[') {
        if (depth === 0 || this.#unicode === 'v') depth++;
      } else if (character === ']') {
        depth--;
      }
    } while (depth > 0);
    return this.#source.slice(from, this.#at);
  }

  /** Those characters of names that an atom matches, in RE2's words. */
  #set(atom: string): string {
    let set = this.#sets.get(atom);
    if (set === undefined) {
      const alone = new RegExp(`^(?:${atom})$`, this.#flags);
      set = setOf(NAME_CHARACTERS.replaceAll(/./g, (character) => (alone.test(character) ? character : '')));
      this.#sets.set(atom, set);
    }
    return set;
  }

  #read(expected: RegExp): RegExpExecArray | undefined {
    expected.lastIndex = this.#at;
    const found = expected.exec(this.#source);
    expected.lastIndex = 0;
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }

  #take(length: number): string {
    return this.#source.slice(this.#at, (this.#at += length));
  }
}

const textOf = (terms: readonly Part[]): string => terms.map(({ text }) => text).join('');

function setOf(characters: string): string {
  if (characters.length === 0) return NEVER;
  if (characters === NAME_CHARACTERS) return '.';
  if (characters.length === 1) return characters === '.' ? '\\.' : characters;
  let ranges = '';
  for (let from = 0; from < characters.length;) {
    let to = from;
    while (characters.charCodeAt(to + 1) === characters.charCodeAt(to) + 1) to++;
    const run = characters.slice(from, to + 1);
    ranges += run.length < 3 ? run.replace('-', '\\-') : `${run.at(0)}-${run.at(-1)}`;
    from = to + 1;
  }
  return `[${ranges}]`;
}
