/** An inclusive range of protocol versions as Kafka's message definitions write it: `'0+'`, `'3'`, `'2-5'` or `'none'`. */
export type VersionText = string;

export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

export function parseVersions(text: VersionText): VersionRange {
  if (text === 'none') return { from: 1, to: 0 };
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text);
  if (match === null) throw new RangeError(`'${text}' is no range of versions`);
  const from = Number(match[1]);
  if (match[2] === '+') return { from, to: 32_767 };
  return { from, to: match[3] === undefined ? from : Number(match[3]) };
}

export const inVersions = (range: VersionRange, version: number): boolean =>
  version >= range.from && version <= range.to;
