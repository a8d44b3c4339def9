import type { Field, FieldTable } from './fields.js';

/** Makes what a field is when nobody said: a fresh array or struct each time, so that nobody shares one. */
export function compileDefault(field: Field): () => unknown {
  const { defaultValue, kind } = field;
  if (defaultValue !== null && kind === 'array') return () => [];
  if (defaultValue !== null && kind === 'struct') {
    const makers = Object.entries(field.fields as FieldTable).map(
      ([name, inner]) => [name, compileDefault(inner)] as const,
    );
    return () => {
      const values: Record<string, unknown> = {};
      for (const [name, make] of makers) values[name] = make();
      return values;
    };
  }
  return () => defaultValue;
}

/**
 * Whether a value says no more than leaving it out would. A tagged field that does not is not written, and a field that
 * the version lacks may only have such a value unless it is ignorable.
 */
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
