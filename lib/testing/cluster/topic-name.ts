const LEGAL = /^[a-zA-Z0-9._-]+$/;
const LONGEST = 249;

/** Why a name is no legal topic name, in words; undefined when it is one. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'the empty string is not allowed';
  if (name === '.' || name === '..') return `'${name}' is not allowed`;
  if (name.length > LONGEST) return `the length of '${name}' is longer than the max allowed length ${LONGEST}`;
  if (!LEGAL.test(name)) {
    return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`;
  }
  return undefined;
}

/** Metrics names treat '.' and '_' alike, so Kafka refuses two topics that differ by them only. */
export const collisionName = (name: string): string => name.replaceAll('.', '_');

/** Topics that Kafka keeps for itself. */
export const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
]);
