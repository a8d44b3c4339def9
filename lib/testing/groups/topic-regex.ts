import type { Cluster } from '../cluster/cluster.js';

/** What RE2 does without: look-around and back references. */
const NOT_IN_RE2 = /\(\?(?:<?[=!])|\\[1-9k]/;
const ESCAPED = /\\[^1-9k]/g;

/**
 * A regular expression of RE2's as one of JavaScript's, which has to fit the whole of a name. Flags at the very beginning
 * and `(?P<name>` are known; what else only RE2 has (`\A`, `\z`, `\Q`, flags within) is taken as JavaScript takes it.
 *
 * @throws SyntaxError when it is none, or has what RE2 does without
 */
function topicRegex(regex: string): RegExp {
  if (NOT_IN_RE2.test(regex.replaceAll(ESCAPED, ''))) throw new SyntaxError('not in RE2');
  const flags = /^\(\?([ims]+)\)/.exec(regex);
  const source = regex.slice(flags?.[0].length ?? 0).replaceAll('(?P<', '(?<');
  return new RegExp(`^(?:${source})$`, flags?.[1] ?? '');
}

/** Whether a coordinator takes this for a regular expression. */
export function isTopicRegex(regex: string): boolean {
  try {
    topicRegex(regex);
    return true;
  } catch {
    return false;
  }
}

/**
 * Which topics the regular expressions of a group stand for. As in Kafka they are looked for after the heartbeat that
 * asks, so its answer does not know of them yet, and internal topics are topics like any other. Kafka lets 10 seconds go
 * by between two such looks of a group; here each heartbeat has one.
 */
export class TopicRegexes {
  readonly #cluster: Cluster;
  #resolved = new Map<string, ReadonlySet<string>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The names that were found for a regular expression. */
  topicsOf(regex: string): ReadonlySet<string> {
    return this.#resolved.get(regex) ?? new Set();
  }

  /** Looks for the topics of all that is subscribed to now. */
  resolve(regexes: Iterable<string>): void {
    const resolved = new Map<string, ReadonlySet<string>>();
    for (const regex of regexes) {
      if (resolved.has(regex)) continue;
      const pattern = topicRegex(regex);
      resolved.set(regex, new Set([...this.#cluster.topics.keys()].filter((name) => pattern.test(name))));
    }
    this.#resolved = resolved;
  }
}
