/** Builds images into the cache: once per recipe, as archives that `docker load` takes and that give the same id everywhere. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { underLock } from './hold-lock.ts';
import type { Lock } from './hold-lock.ts';
import { hashRecipe, imageRecipes, renderImageConfig, renderManifest } from './image-recipes.ts';
import type { ImageRecipe } from './image-recipes.ts';
import { LabError } from './lab-error.ts';
import { cacheDir } from './layout.ts';
import { pathExists } from './path-exists.ts';
import { run } from './run-command.ts';

const buildTimeoutMs = 900_000;
const imagesDir = imagesDirOf(cacheDir);
/** Neither needed to run anything, and a third of an image. The examples of OpenFOAM live below /usr/share/doc. */
const leftOut = ['/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*', '/usr/share/doc/*'];
const keptAgain = ['/usr/share/doc/openfoam-examples', '/usr/share/doc/openfoam-examples/*'];

/** An image in the cache. */
export interface BuiltImage {
  readonly reference: string;
  /** The id on every host: the digest of the image's configuration. */
  readonly id: string;
  readonly archive: string;
}

/** Where a cache keeps its images. */
export function imagesDirOf(cache: string): string {
  return `${cache}/images`;
}

/** The lock of a cache, for whoever changes what is in it. */
export function buildLock(cache: string): Lock {
  return { file: `${cache}/build.lock`, guards: 'The image cache', waitMs: buildTimeoutMs };
}

/** The recipe of that name, or what names there are. */
export function findRecipe(name: string): ImageRecipe {
  const recipe = imageRecipes.find((candidate) => candidate.name === name);
  if (recipe !== undefined) return recipe;
  throw new LabError(
    `There is no image recipe "${name}".`,
    `Known: ${imageRecipes.map((known) => known.name).join(', ')}.`,
  );
}

/** The image of a recipe from the cache, built first if it is not there. */
export async function ensureImage(
  recipe: ImageRecipe,
  cgroups: readonly string[],
): Promise<BuiltImage & { isNew: boolean }> {
  await mkdir(imagesDir, { recursive: true, mode: 0o700 });
  // One builder at a time on this machine; the second finds what the first made.
  return await underLock(buildLock(cacheDir), async () => {
    const release = await readRelease();
    const base = join(imagesDir, `${recipe.name}-${hashRecipe(recipe, release, dockerArchitecture())}`);
    const image = { reference: recipe.reference, archive: `${base}.tar` };
    const knownId = await readFile(`${base}.id`, 'utf8').catch(() => undefined);
    if (knownId !== undefined && (await pathExists(image.archive))) return { ...image, id: knownId, isNew: false };
    await removePartialBuilds();
    const id = await buildArchive(recipe, release, image.archive, cgroups);
    // The id comes last: it says that the archive is complete.
    await writeFile(`${base}.id`, id);
    return { ...image, id, isNew: true };
  });
}

/** Builds the root and the archive in a directory of their own, and moves the archive to its place once it is whole. */
async function buildArchive(
  recipe: ImageRecipe,
  release: string,
  archive: string,
  cgroups: readonly string[],
): Promise<string> {
  const work = join(imagesDir, `partial-${recipe.name}`);
  await mkdir(work, { recursive: true });
  const layer = join(work, 'layer.tar');
  if (recipe.kind === 'debian') await buildDebianRoot(recipe, release, layer, work, cgroups);
  else await buildBusyboxRoot(recipe, layer, work, cgroups);
  const id = await writeArchive(recipe, dockerArchitecture(), work, cgroups);
  await rename(join(work, 'image.tar'), archive);
  await rm(work, { recursive: true });
  return id;
}

async function removePartialBuilds(): Promise<void> {
  for (const name of await readdir(imagesDir))
    if (name.startsWith('partial-')) await rm(join(imagesDir, name), { recursive: true, force: true });
}

/** A minimal Debian root with the recipe's packages, from the package sources that this machine itself uses. */
async function buildDebianRoot(
  recipe: ImageRecipe,
  release: string,
  layer: string,
  work: string,
  cgroups: readonly string[],
): Promise<void> {
  const options = [
    ...['--mode=root', '--variant=minbase', `--include=${recipe.packages.join(',')}`],
    ...leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...keptAgain.map((pattern) => `--dpkgopt=path-include=${pattern}`),
    ...['--aptopt=Acquire::Languages "none"', ...(await readAptTransport(cgroups)).map((line) => `--aptopt=${line}`)],
    ...recipe.purge.map((name) => `--customize-hook=chroot "$1" dpkg --purge --force-depends ${name}`),
  ];
  const argv = ['mmdebstrap', ...options, '--', release, layer, ...(await listPackageSources())];
  // A fixed date, so that the same packages give the same image id.
  await run(argv, { cgroups, env: { TMPDIR: work, SOURCE_DATE_EPOCH: '0' }, timeoutMs: buildTimeoutMs });
}

/** The machine's own package sources: the project names no server. */
export async function listPackageSources(): Promise<string[]> {
  const parts = (await readdir('/etc/apt/sources.list.d').catch(() => []))
    .filter((name) => /\.(list|sources)$/.test(name))
    .sort();
  const files = ['/etc/apt/sources.list', ...parts.map((name) => `/etc/apt/sources.list.d/${name}`)];
  const used: string[] = [];
  for (const file of files)
    if (/^\s*(deb\s|URIs:)/m.test(await readFile(file, 'utf8').catch(() => ''))) used.push(file);
  if (used.length === 0)
    throw new LabError(
      'This machine has no Debian package sources below /etc/apt.',
      'Images are made from Debian packages.',
    );
  return used;
}

/** How this machine's apt reaches its sources (proxies, certificates), as lines of apt.conf. */
export async function readAptTransport(cgroups: readonly string[]): Promise<string[]> {
  const dump = await run(['apt-config', 'dump'], { cgroups });
  return dump.split('\n').filter((line) => /^Acquire::(http|https|Retries)\S* ".+";$/.test(line));
}

/** A root that holds one static program and the names under which it works: no C library, no passwd, no package manager. */
async function buildBusyboxRoot(
  recipe: ImageRecipe,
  layer: string,
  work: string,
  cgroups: readonly string[],
): Promise<void> {
  await run(['apt-get', 'download', ...recipe.packages], { cgroups, cwd: work });
  const deb = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (deb === undefined) throw new LabError(`apt-get did not fetch ${recipe.packages.join(', ')}.`);
  const unpacked = join(work, 'unpacked');
  await run(['dpkg-deb', '--extract', join(work, deb), unpacked], { cgroups });
  const root = join(work, 'root');
  for (const directory of ['bin', 'tmp', 'proc', 'sys', 'dev', 'etc', 'run'])
    await mkdir(join(root, directory), { recursive: true });
  await rename(join(unpacked, 'bin/busybox'), join(root, 'bin/busybox'));
  const applets = await run([join(root, 'bin/busybox'), '--list'], { cgroups });
  for (const applet of applets.split('\n'))
    if (applet && applet !== 'busybox') await symlink('busybox', join(root, 'bin', applet));
  await run(['chmod', '1777', join(root, 'tmp')], { cgroups });
  const plain = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  await run(['tar', ...plain, '--create', '--file', layer, '--directory', root, '.'], { cgroups });
}

/** Puts layer and configuration into one archive, as `docker save` would; returns the image id. */
async function writeArchive(
  recipe: ImageRecipe,
  architecture: string,
  work: string,
  cgroups: readonly string[],
): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(work, 'layer.tar'), { highWaterMark: 1 << 20 }), hash);
  const config = renderImageConfig(recipe, architecture, hash.digest('hex'));
  const digest = createHash('sha256').update(config).digest('hex');
  await writeFile(join(work, `${digest}.json`), config);
  await writeFile(join(work, 'manifest.json'), renderManifest(recipe.reference, `${digest}.json`, 'layer.tar'));
  const members = ['manifest.json', `${digest}.json`, 'layer.tar'];
  await run(['tar', '--create', '--file', join(work, 'image.tar'), '--directory', work, ...members], { cgroups });
  return `sha256:${digest}`;
}

export async function readRelease(): Promise<string> {
  const release = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  if (release === undefined)
    throw new LabError('/etc/os-release names no release.', 'Images are made from Debian packages.');
  return release;
}

export function dockerArchitecture(): string {
  const known: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
  const name = known[arch()];
  if (name === undefined) throw new LabError(`No images can be made for ${arch()} machines.`);
  return name;
}
