import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { keysAt, schemaAt, siteSchemaTree } from '../../../src/config/schema-tree.ts';
import type { SchemaNode } from '../../../src/config/schema-tree.ts';
import { writeJsonSchema, writeReference } from '../../../src/config/write-reference.ts';
import { parse } from 'yaml';

const readShipped = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** The file with every commented key made one; what stands before `version` is prose. */
async function readUncommented(): Promise<string> {
  const text = await readShipped('etc/site.yaml');
  const start = text.indexOf('version:');
  return text.slice(start).replaceAll(/^# ?/gm, '');
}

const defaults = parseSite('version: 1');

describe('etc/site.yaml', () => {
  it('is the policy of all defaults', async () => {
    expect(parseSite(await readShipped('etc/site.yaml'))).toEqual(defaults);
  });

  it('shows the default of every key in its comments', async () => {
    const { applications, ...others } = parseSite(await readUncommented());
    expect({ ...others, applications: {} }).toEqual(defaults);
    expect(applications).toEqual({
      'openfoam:2.3.0': {
        image: 'hpc/openfoam:2.3.0',
        description: '',
        users: [],
        groups: [],
        partitions: [],
        queues: [],
        network: '',
        mounts: [],
        devices: [],
        environment: {},
        hostfile: '',
        maxRunSeconds: 0,
        lsf: { queue: '', resReq: '', licenses: '', runLimitSeconds: 0 },
      },
    });
  });

  it('holds every key of the schema', async () => {
    const text = await readUncommented();
    expect(pathsOf(parse(text)).toSorted()).toEqual(pathsOfSchema(siteSchemaTree()).toSorted());
    // The keys of one mount stand in a comment beside the empty list.
    for (const key of Object.keys(schemaAt(['mounts', 'allowed', 0])?.properties ?? {}))
      expect(text).toMatch(new RegExp(`# .*${key}: `));
    for (const key of keysAt(['images', 'allowed', 0])) expect(text).toMatch(new RegExp(`# .*${key}: `));
    for (const table of ['aliases', 'queues'])
      for (const key of Object.keys(schemaAt(['lsf', table, 'x'])?.properties ?? {}))
        expect(text).toMatch(new RegExp(`# .*{${key}: `));
  });
});

describe('generated documents', () => {
  it.each([
    ['docs/configuration.md', writeReference],
    ['etc/site.schema.json', writeJsonSchema],
  ])('%s is not stale', async (path, write) => {
    expect(await readShipped(path)).toBe(write());
  });

  it('describe every key', () => {
    expect(writeReference()).not.toMatch(/\|\s*\|$/m);
  });
});

function pathsOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0)
    return [path];
  return Object.entries(value).flatMap(([key, inner]) =>
    pathsOf(inner, key.includes(':') ? `${path}/*` : `${path}/${key}`),
  );
}

function pathsOfSchema(node: SchemaNode, path = ''): string[] {
  const named = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
  // Maps that are empty in the file: their keys stand in comments beside them.
  if (path === '/lsf/aliases' || path === '/lsf/queues') return [path];
  if (named?.properties !== undefined) return pathsOfSchema(named, `${path}/*`);
  if (node.properties === undefined) return [path];
  return Object.entries(node.properties).flatMap(([key, inner]) => pathsOfSchema(inner, `${path}/${key}`));
}
