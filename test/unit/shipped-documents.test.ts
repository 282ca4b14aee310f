import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../..');

/** What `npm pack` puts into the tarball; no script of ours runs. */
async function listShipped(): Promise<readonly string[]> {
  const { stdout } = await execa('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [pack] = JSON.parse(stdout) as { files: { path: string }[] }[];
  return pack!.files.map((file) => file.path);
}

describe('the package', () => {
  it('has every document that its documents lead to', async () => {
    const shipped = await listShipped();
    const documents = shipped.filter((file) => file.endsWith('.md'));
    expect(documents).toContain('README.md');
    const broken: string[] = [];
    for (const document of documents) {
      const text = await readFile(path.join(root, document), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
        const file = path.join(path.dirname(document), target);
        if (!existsSync(path.join(root, file)) || !shipped.includes(file)) broken.push(`${document}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });
});
