import * as z from 'zod';
import { siteSchema } from './site-schema.ts';

/** The part of JSON Schema that zod writes for site.yaml. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  /** A value of one of several forms: at most one of them is a section. */
  readonly anyOf?: readonly SchemaNode[];
  readonly additionalProperties?: SchemaNode | boolean;
}

let tree: SchemaNode | undefined;

/** site.yaml's schema as plain data, as a file may be written: keys with a default may be left out. */
export function siteSchemaTree(): SchemaNode {
  tree ??= z.toJSONSchema(siteSchema, { io: 'input' }) as SchemaNode;
  return tree;
}

/** The node below which the values at `path` stand; undefined where the schema knows nothing. */
export function schemaAt(path: readonly (string | number)[]): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>((node, step) => {
    if (typeof step === 'number') return node?.items;
    const { properties, additionalProperties: open } = sectionOf(node) ?? {};
    return properties?.[step] ?? (typeof open === 'object' ? open : undefined);
  }, siteSchemaTree());
}

/** Names of the keys that may stand in the section at `path`. */
export function keysAt(path: readonly (string | number)[]): string[] {
  return Object.keys(sectionOf(schemaAt(path))?.properties ?? {});
}

/** True where the schema wants a section of keys or a map of names. */
export function isSection(path: readonly (string | number)[]): boolean {
  return schemaAt(path)?.type === 'object';
}

/** The form of the value that is a section of keys; the node itself where it has one form. */
export function sectionOf(node: SchemaNode | undefined): SchemaNode | undefined {
  return node?.anyOf?.find(({ properties }) => properties !== undefined) ?? node;
}
