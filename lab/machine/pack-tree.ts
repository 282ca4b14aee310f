/** All that `npm run demo` needs on a stock Debian which reaches nothing: as a disk of the guest. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dockerArchitecture, ensureImage, findRecipe, imagesDirOf } from '../build-images.ts';
import { hashRecipe } from '../image-recipes.ts';
import { run } from '../run-command.ts';
import { installPackages, makeDisk, packTarball, tree } from './pack-product.ts';
import type { Release } from './releases.ts';

const timeoutMs = 300_000;
const diskSize = '6G';
const images = ['openfoam', 'mpi'];

/**
 * Makes the disk below `runDir` and returns its file. On it: `tree`, as a clean clone has it, with this tree's
 * node_modules; `npm`, with Node; `npm-cache`, from which npm installs the product's package; `cache`, the lab's own.
 */
export async function packTree(runDir: string, release: Release): Promise<string> {
  const content = join(runDir, 'demo');
  await mkdir(content);
  await copyTree(join(content, 'tree'));
  const npm = join(content, 'npm');
  await installPackages(npm, [`npm@${(await ask(['npm', '--version'])).trim()}`]);
  await copyFile(process.execPath, join(npm, 'bin/node'));
  const tarball = await packTarball(join(runDir, 'demo-package'));
  await installPackages(join(runDir, 'demo-installed'), [tarball], ['--cache', join(content, 'npm-cache')]);
  await copyImages(imagesDirOf(join(content, 'cache')), release);
  return await makeDisk(content, join(runDir, 'demo.img'), diskSize);
}

/** The files that a commit of everything would have, and what `npm ci` has installed. */
async function copyTree(target: string): Promise<void> {
  await mkdir(target);
  const files = await ask(['git', '-C', tree, 'ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  const list = `${target}.files`;
  await writeFile(list, files);
  const pass =
    'tar --create --directory "$1" --null --files-from="$2" --ignore-failed-read | tar --extract --directory "$3"';
  await ask(['bash', '-o', 'pipefail', '-c', pass, 'copy', tree, list, target]);
  await ask(['cp', '--archive', join(tree, 'node_modules'), target]);
}

/** This machine's images, under the names by which a lab on the release looks for its own. */
async function copyImages(directory: string, { codename }: Release): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const recipe of images.map(findRecipe)) {
    const { archive, id } = await ensureImage(recipe, []);
    const base = join(directory, `${recipe.name}-${hashRecipe(recipe, codename, dockerArchitecture())}`);
    await copyFile(archive, `${base}.tar`);
    await writeFile(`${base}.id`, id);
  }
}

async function ask(argv: readonly string[]): Promise<string> {
  return await run(argv, { cgroups: [], timeoutMs });
}
