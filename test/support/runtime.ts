import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';

const root = path.join(import.meta.dirname, '../..');

/** Bundles the agent's programs out of the sources and assembles the runtime as `hpc-dockerjob-setup` does; remove it yourself. */
export async function assembleTestRuntime(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-runtime-'));
  const dist = path.join(directory, 'dist');
  await mkdir(dist);
  for (const name of ['agent', 'ssh-client', 'enter']) {
    await build({
      entryPoints: [path.join(root, `src/discovery/${name}-entry.ts`)],
      outfile: path.join(dist, `${name}.bundle.cjs`),
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      external: ['cpu-features', './crypto/build/Release/sshcrypto.node'],
    });
    await writeFile(path.join(dist, `${name}.cjs`), `require('./${name}.bundle.cjs');\n`);
  }
  await execa(path.join(root, 'share/assemble-runtime'), [process.execPath, dist, path.join(directory, 'runtime')], {
    timeout: 60_000,
  });
  return directory;
}
