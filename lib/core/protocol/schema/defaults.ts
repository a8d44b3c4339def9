import type { Field, FieldTable } from './fields.js';

/** What a field is when nobody said: a fresh array or struct each time, so that nobody shares one. */
export function defaultOf(field: Field): unknown {
  if (field.defaultValue === null) return null;
  if (field.kind === 'array') return [];
  if (field.kind === 'struct') {
    const values: Record<string, unknown> = {};
    for (const [name, inner] of Object.entries(field.fields as FieldTable)) values[name] = defaultOf(inner);
    return values;
  }
  return field.defaultValue;
}

/** Whether a value says no more than leaving it out: such a tagged field is not written, such an untimely one no loss. */
export function isDefault(value: unknown, field: Field): boolean {
  if (value === undefined) return true;
  if (value === null || field.defaultValue === null) return value === field.defaultValue;
  switch (field.kind) {
    case 'array':
      return Array.isArray(value) && value.length === 0;
    case 'bytes':
      return Buffer.isBuffer(value) && value.length === 0;
    case 'struct':
      return (
        typeof value === 'object' &&
        Object.entries(field.fields as FieldTable).every(([name, inner]) =>
          isDefault((value as Record<string, unknown>)[name], inner),
        )
      );
    default:
      return value === field.defaultValue;
  }
}
