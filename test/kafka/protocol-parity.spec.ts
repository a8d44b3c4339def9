import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import {
  API_KEYS,
  APIS,
  ERROR_CODES,
  INT64_MAX,
  isRetriable,
  isStaleMetadata,
  parseVersions,
  type Field,
  type FieldTable,
  type VersionRange,
} from '../../lib/core/protocol/index.js';
import {
  FOLLOWED_VERSION,
  jarsFolder,
  kafkaDefinitions,
  type DefinedField,
  type MessageDefinition,
} from './kafka-definitions.js';

// Both sides are brought to the same form: every property that decides what is on the wire, nothing left implicit.
interface Row {
  readonly name: string;
  readonly type: string;
  readonly versions: VersionRange;
  readonly nullable: VersionRange;
  readonly tag: number | undefined;
  readonly tagged: VersionRange;
  readonly default: unknown;
  readonly ignorable: boolean;
  readonly fields: readonly Row[] | undefined;
}

function rowsOfTable(table: FieldTable): Row[] {
  return Object.entries(table).map(([name, field]) => {
    const element = field.kind === 'array' ? (field.element as Field) : field;
    return {
      name,
      type: (field.kind === 'array' ? '[]' : '') + element.kind,
      versions: field.versions,
      nullable: field.nullable,
      tag: field.tag,
      tagged: field.tagged,
      default: isEmpty(field.defaultValue) ? 'empty' : field.defaultValue,
      ignorable: field.ignorable,
      fields: element.fields && rowsOfTable(element.fields),
    };
  });
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === '' ||
  (Array.isArray(value) && value.length === 0) ||
  (Buffer.isBuffer(value) && value.length === 0);

function rowsOfDefinition(definition: MessageDefinition): Row[] {
  const spoken = parseVersions(definition.validVersions);
  const common = new Map(definition.commonStructs?.map((struct) => [struct.name, struct.fields]));
  const rows = (fields: readonly DefinedField[]): Row[] =>
    fields
      .filter(({ versions }) => overlap(parseVersions(versions), spoken))
      .map((field) => {
        const type = field.type.replace('[]', '');
        const isStruct = /^[A-Z]/.test(type);
        if (field.flexibleVersions !== undefined) throw new Error(`${field.name} has flexible versions of its own`);
        return {
          name: (field.name[0] as string).toLowerCase() + field.name.slice(1),
          type: field.type.replace(/[A-Z]\w*/, 'struct'),
          versions: parseVersions(field.versions),
          nullable: parseVersions(field.nullableVersions ?? 'none'),
          tag: field.tag,
          tagged: parseVersions(field.taggedVersions ?? 'none'),
          default: defaultOf(field),
          ignorable: field.ignorable ?? false,
          fields: isStruct ? rows(field.fields ?? common.get(type) ?? []) : undefined,
        };
      });
  return rows(definition.fields);
}

const overlap = (a: VersionRange, b: VersionRange): boolean => a.from <= b.to && b.from <= a.to;

function defaultOf({ type, default: given }: DefinedField): unknown {
  if (type === 'records' || given === 'null') return null;
  if (type === 'bool') return given === true || given === 'true';
  if (type === 'uuid') return 'AAAAAAAAAAAAAAAAAAAAAA';
  if (/^u?int|^float/.test(type)) return given === String(2n ** 63n - 1n) ? INT64_MAX : Number(given ?? 0);
  return given === undefined || given === '' ? 'empty' : given;
}

// The tables follow one version of Kafka: a run for another one shows these as skipped.
const version = process.env['KAFKA_VERSION'] ?? FOLLOWED_VERSION;
const describeFollowed = version === FOLLOWED_VERSION ? describe : describe.skip;

describeFollowed(`the tables, against the definitions of Apache Kafka ${FOLLOWED_VERSION}`, () => {
  let definitions: ReadonlyMap<string, MessageDefinition>;
  beforeAll(() => {
    definitions = kafkaDefinitions();
  });

  it('know the key of every API', () => {
    const requests = [...definitions.values()].filter(({ type }) => type === 'request');
    const keys = Object.fromEntries(requests.map(({ name, apiKey }) => [name.replace(/Request$/, ''), apiKey]));
    expect(API_KEYS).toEqual(keys);
  });

  describe.each([...APIS.values()].map((api) => [api.name, api] as const))('%s', (name, api) => {
    it.each(['request', 'response'] as const)('has the same %s', (side) => {
      const definition = definitions.get(`${name}${side === 'request' ? 'Request' : 'Response'}`) as MessageDefinition;
      expect({
        key: api.key,
        versions: api.versions,
        flexible: api.flexible,
        fields: rowsOfTable(api.tables[side]),
      }).toEqual({
        key: definition.apiKey,
        versions: parseVersions(definition.validVersions),
        flexible: parseVersions(definition.flexibleVersions),
        fields: rowsOfDefinition(definition),
      });
    });
  });
});

describeFollowed(`the error codes, against those of Apache Kafka ${FOLLOWED_VERSION}`, () => {
  it('have the same names, numbers and meaning for trying again', () => {
    const jars = jarsFolder();
    if (jars === undefined)
      throw new Error(`the jars of Apache Kafka ${FOLLOWED_VERSION} are not at hand (KAFKA_JARS)`);
    const program = join(import.meta.dirname, '../../scripts/protocol/ErrorCodes.java');
    const run = spawnSync('java', ['-cp', join(jars, '*'), program], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`ErrorCodes.java ended with ${run.status}: ${run.stderr}`);
    const ours = Object.entries(ERROR_CODES).map(([name, code]) =>
      [code, name, isRetriable(code), isStaleMetadata(code)].join(' '),
    );
    expect(ours).toEqual(run.stdout.trim().split('\n'));
  });
});
