import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  INT64_MAX,
  inVersions,
  messageCodec,
  type Api,
  type Field,
  type FieldTable,
  type MessageCodec,
} from '../../../lib/core/protocol/index.js';
import { compileDefault } from '../../../lib/core/protocol/schema/defaults.js';

export type Side = 'request' | 'response';

/** A value, and the bytes that the official Java client made of it. */
export interface WireVector {
  readonly side: Side;
  readonly version: number;
  /** What the version has of the message, tagged fields at their default left out. */
  readonly given: unknown;
  /** The whole message as it is to be read. */
  readonly value: unknown;
  readonly bytes: Buffer;
}

const folder = join(import.meta.dirname, '../../vectors');

/** The vectors of one API, as `npm run vectors` wrote them. */
export function wireVectorsOf(api: Api): WireVector[] {
  const lines = gunzipSync(readFileSync(join(folder, `${api.name}.jsonl.gz`)))
    .toString()
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const { side, version, value, bytes } = JSON.parse(line) as {
      side: Side;
      version: number;
      value: Record<string, unknown>;
      bytes: string;
    };
    const table = api.tables[side];
    return {
      side,
      version,
      given: valueOf(table, value, version, false),
      value: valueOf(table, value, version, true),
      bytes: Buffer.from(bytes, 'base64'),
    };
  });
}

/** The codec that a side would have without hand-written halves. */
export function tableCodec(api: Api, side: Side): MessageCodec<unknown, unknown> {
  const { versions, flexible } = api;
  return messageCodec({ api: api.name, message: side, versions, flexible, table: api.tables[side] });
}

function valueOf(table: FieldTable, json: Record<string, unknown>, version: number, whole: boolean): unknown {
  const value: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(table)) {
    if (inVersions(field.versions, version) && name in json) value[name] = fieldOf(field, json[name], version, whole);
    else if (whole) value[name] = compileDefault(field)();
  }
  return value;
}

function fieldOf(field: Field, json: unknown, version: number, whole: boolean): unknown {
  if (json === null) return null;
  switch (field.kind) {
    case 'bytes':
    case 'records':
      return Buffer.from(json as string, 'base64');
    case 'int64':
      return json === 2 ** 63 ? INT64_MAX : json;
    case 'struct':
      return valueOf(field.fields as FieldTable, json as Record<string, unknown>, version, whole);
    case 'array':
      return (json as unknown[]).map((item) => fieldOf(field.element as Field, item, version, whole));
    default:
      return json;
  }
}
