import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectLicences } from '../../../scripts/collect-licences.ts';

interface FakePackage {
  readonly facts: object;
  readonly files?: Readonly<Record<string, string>>;
  readonly code?: string;
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-licences-'));
});
afterEach(async () => await rm(directory, { recursive: true }));

/** Installs the packages and bundles a program that uses something of each. */
async function bundle(packages: Readonly<Record<string, FakePackage>>): Promise<Metafile> {
  for (const [name, { facts, files = {}, code = 'console.log(1);' }] of Object.entries(packages)) {
    const root = path.join(directory, 'node_modules', name);
    await mkdir(root, { recursive: true });
    const all = { 'package.json': JSON.stringify({ version: '1.0.0', ...facts }), 'index.js': code, ...files };
    for (const [file, text] of Object.entries(all)) await writeFile(path.join(root, file), text);
  }
  await writeFile(
    path.join(directory, 'main.js'),
    Object.keys(packages)
      .map((name) => `import '${name}';`)
      .join('\n'),
  );
  const { metafile } = await build({
    entryPoints: [path.join(directory, 'main.js')],
    ...{ bundle: true, write: false, metafile: true, outfile: 'main.cjs', logLevel: 'silent' },
  });
  return metafile;
}

describe('the licences of what is bundled', () => {
  it('are told with name, version and text, each text once', async () => {
    const text = await collectLicences([
      await bundle({
        '@scope/one': { facts: { license: 'MIT' }, files: { LICENSE: 'Copyright One\r\n' } },
        two: { facts: { licenses: [{ type: 'ISC' }] }, files: { 'license.md': 'Shared', NOTICE: 'Named by Two' } },
        three: { facts: { license: 'BSD-3-Clause' }, files: { 'LICENCE.txt': 'Shared', NOTICE: 'Named by Two' } },
      }),
    ]);
    expect(text).toContain('@scope/one 1.0.0 (MIT)\n\nCopyright One\n');
    expect(text).toContain('three 1.0.0 (BSD-3-Clause)\ntwo 1.0.0 (ISC)\n\n');
    expect(text.split('Shared')).toHaveLength(2);
    expect(text).toContain('Named by Two');
  });

  it('leave out a package of which nothing is in the bundle', async () => {
    const unused = { facts: { license: 'GPL-3.0', sideEffects: false }, code: 'export const unused = 1;' };
    expect(await collectLicences([await bundle({ unused })])).not.toContain('unused');
  });

  it.each<readonly [string, FakePackage, string]>([
    ['no text', { facts: { license: 'MIT' } }, 'bad 1.0.0 (MIT): the package has no licence text'],
    ['a notice only', { facts: { license: 'MIT' }, files: { NOTICE: 'x' } }, 'the package has no licence text'],
    [
      'another licence',
      { facts: { license: 'GPL-3.0' }, files: { LICENSE: 'x' } },
      'bad 1.0.0 (GPL-3.0): this licence',
    ],
    ['a choice that nobody made', { facts: { license: '(MIT OR GPL-2.0)' }, files: { LICENSE: 'x' } }, 'this licence'],
    ['no licence named', { facts: {}, files: { LICENSE: 'x' } }, 'bad 1.0.0 (no licence named): this licence'],
  ])('fail the build for a package with %s', async (_, bad, message) => {
    const good = { facts: { license: 'MIT' }, files: { LICENSE: 'x' } };
    await expect(collectLicences([await bundle({ good, bad })])).rejects.toThrow(message);
  });
});
