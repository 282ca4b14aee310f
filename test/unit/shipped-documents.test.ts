import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../..');

/** What npm always packs, and what `files` of package.json adds. */
async function listShipped(): Promise<readonly string[]> {
  const { files } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { files: string[] };
  return ['README.md', 'LICENSE', 'package.json', ...files].flatMap(listFiles);
}

function listFiles(entry: string): readonly string[] {
  if (!existsSync(path.join(root, entry))) return []; // dist, before the first build
  if (!statSync(path.join(root, entry)).isDirectory()) return [entry];
  return readdirSync(path.join(root, entry)).flatMap((name) => listFiles(path.join(entry, name)));
}

describe('the package', () => {
  it('has every document that its documents lead to', async () => {
    const shipped = await listShipped();
    const documents = shipped.filter((file) => file.endsWith('.md'));
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/user-guide.md', 'test/README.md']));
    const broken: string[] = [];
    for (const document of documents) {
      const text = await readFile(path.join(root, document), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
        const file = path.join(path.dirname(document), target);
        if (!shipped.includes(file)) broken.push(`${document}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('has no line of prose that is wider than 120 columns, and no row of a table wider than 160', async () => {
    const documents = (await listShipped()).filter((file) => file.endsWith('.md'));
    const wide: string[] = [];
    for (const document of documents) {
      const text = (await readFile(path.join(root, document), 'utf8')).replaceAll(/^```[^]*?^```/gm, '');
      const lines = text
        .split('\n')
        .filter((line) => line.length > (/^\s*\|/.test(line) ? 160 : 120) && !/^\s*\S+$/.test(line));
      wide.push(...lines.map((line) => `${document}: ${line.slice(0, 60)}`));
    }
    expect(wide).toEqual([]);
  });
});
