import type * as z from 'zod';

/** What the JSON in `text` says, checked by the schema. Fails with the parser's or the schema's own error. */
export function parseJsonAs<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  return schema.parse(JSON.parse(text));
}

/** As `parseJsonAs`; undefined for a text that is no JSON or not what the schema takes. Never fails. */
export function findJsonAs<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> | undefined {
  try {
    return parseJsonAs(schema, text);
  } catch {
    return undefined;
  }
}

/** What the JSON in `text` says, unchecked; undefined for a text that is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
