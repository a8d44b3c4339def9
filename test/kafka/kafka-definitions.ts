import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';

/** The version of Apache Kafka that the tables of lib/core/protocol follow. */
export const FOLLOWED_VERSION = '4.3.1';

/** A field of one of Kafka's message definitions. */
export interface DefinedField {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullableVersions?: string;
  readonly flexibleVersions?: string;
  readonly tag?: number;
  readonly taggedVersions?: string;
  readonly default?: string | number | boolean;
  readonly ignorable?: boolean;
  readonly fields?: readonly DefinedField[];
}

/** One of Kafka's message definitions, as the clients jar holds them. */
export interface MessageDefinition {
  readonly apiKey?: number;
  readonly type: string;
  readonly name: string;
  readonly validVersions: string;
  readonly flexibleVersions: string;
  readonly fields: readonly DefinedField[];
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly DefinedField[] }[];
}

/** Where the definitions may be, in the order they are looked for. */
function places(): { folder?: string | undefined; jars: (string | undefined)[] } {
  const cache =
    process.env['KAFKA_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'nestjs-krafka');
  return {
    folder: process.env['KAFKA_DEFINITIONS'],
    jars: [process.env['KAFKA_JARS'], join(cache, `kafka-${FOLLOWED_VERSION}`, 'jars')],
  };
}

/** The folder of Kafka's jars at the version followed here; undefined when there is none. */
export function jarsFolder(): string | undefined {
  return places().jars.find((folder) => folder !== undefined && existsSync(join(folder, clientsJar(FOLLOWED_VERSION))));
}

/** Every message definition by its name; fails, in words, where none are at hand. */
export function kafkaDefinitions(): ReadonlyMap<string, MessageDefinition> {
  const { folder } = places();
  const jars = jarsFolder();
  let files: Iterable<string>;
  if (folder !== undefined) {
    files = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => readFileSync(join(folder, name), 'utf8'));
  } else if (jars !== undefined) {
    files = textsInZip(readFileSync(join(jars, clientsJar(FOLLOWED_VERSION))), /^common\/message\/\w+\.json$/);
  } else {
    throw new Error(
      `The definitions of Apache Kafka ${FOLLOWED_VERSION} are not at hand: run \`npm run test:kafka\`, which fetches ` +
        'its jars, or name their folder (KAFKA_JARS) or that of the JSON files (KAFKA_DEFINITIONS).',
    );
  }
  const definitions = [...files].map((text) => JSON.parse(withoutComments(text)) as MessageDefinition);
  return new Map(definitions.map((definition) => [definition.name, definition]));
}

const clientsJar = (version: string): string => `kafka-clients-${version}.jar`;

// Kafka's JSON has whole-line comments and comments behind a field.
const withoutComments = (text: string): string => text.replaceAll(/^\s*\/\/.*$/gm, '').replaceAll(/\s\/\/[^"]*$/gm, '');

/** The entries of a zip whose names match, by its central directory. */
function* textsInZip(zip: Buffer, names: RegExp): Iterable<string> {
  const end = zip.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'));
  if (end < 0) throw new Error('no zip file');
  let entry = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const method = zip.readUInt16LE(entry + 10);
    const packedBytes = zip.readUInt32LE(entry + 20);
    const nameBytes = zip.readUInt16LE(entry + 28);
    const local = zip.readUInt32LE(entry + 42);
    const name = zip.toString('utf8', entry + 46, entry + 46 + nameBytes);
    if (names.test(name)) {
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const packed = zip.subarray(start, start + packedBytes);
      yield (method === 0 ? packed : inflateRawSync(packed)).toString();
    }
    entry += 46 + nameBytes + zip.readUInt16LE(entry + 30) + zip.readUInt16LE(entry + 32);
  }
}
