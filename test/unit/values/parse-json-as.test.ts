import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { findJsonAs, parseJson, parseJsonAs } from '../../../src/values/parse-json-as.ts';

const schema = z.strictObject({ name: z.string() });
const deep = `{"name":${'['.repeat(200_000)}`;

describe('JSON of a known form', () => {
  it('is read by its schema', () => {
    expect(parseJsonAs(schema, '{"name":"a"}')).toEqual({ name: 'a' });
    expect(findJsonAs(schema, '{"name":"a"}')).toEqual({ name: 'a' });
  });

  it.each(['', '{', 'undefined', 'null', '[]', '{"name":1}', '{"name":"a","more":1}', deep])(
    'is not to be found in %.30s',
    (text) => {
      expect(() => parseJsonAs(schema, text)).toThrow();
      expect(findJsonAs(schema, text)).toBeUndefined();
    },
  );

  it('is undefined, unlike every JSON, when there is none', () => {
    expect(parseJson('null')).toBeNull();
    expect(parseJson('{')).toBeUndefined();
  });
});
