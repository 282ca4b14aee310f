/** How the lab's images are made: from Debian packages alone, since a build machine need not reach any image registry. */
import { createHash } from 'node:crypto';

export interface ImageRecipe {
  readonly name: string;
  /** The reference under which every host knows the image. */
  readonly reference: string;
  /** Debian packages of a minimal root; for the static kind only the package that holds the program. */
  readonly packages: readonly string[];
  readonly kind: 'debian' | 'static-busybox';
  /** Packages that others depend on and that the image shall not have. */
  readonly purge: readonly string[];
  readonly environment: readonly string[];
}

/** Raise it when the way of building changes, so that cached images are built again. */
const buildVersion = 1;
const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Neither SSH server nor client: the product brings its own, and these images prove it. */
const sshPackages = ['openssh-client'];

export const imageRecipes: readonly ImageRecipe[] = [
  {
    name: 'tiny',
    reference: 'lab/tiny:1',
    packages: ['busybox-static'],
    kind: 'static-busybox',
    purge: [],
    environment: ['PATH=/bin'],
  },
  {
    name: 'mpi',
    reference: 'lab/mpi:1',
    packages: ['openmpi-bin', 'iproute2', 'procps'],
    kind: 'debian',
    purge: sshPackages,
    environment: [path],
  },
  {
    name: 'openfoam',
    reference: 'lab/openfoam:1912',
    packages: ['openfoam', 'openfoam-examples', 'openmpi-bin', 'iproute2', 'procps'],
    kind: 'debian',
    purge: sshPackages,
    environment: [path],
  },
];

/** The cache key of a recipe built for one Debian release: it changes with anything that goes into the image. */
export function hashRecipe(recipe: ImageRecipe, release: string, architecture: string): string {
  const parts = JSON.stringify([buildVersion, recipe, release, architecture]);
  return createHash('sha256').update(parts).digest('hex').slice(0, 16);
}

/** The image's configuration file for a root file system; its digest is the image's id on every host. */
export function renderImageConfig(recipe: ImageRecipe, architecture: string, layerDigest: string): string {
  return JSON.stringify({
    architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Env: recipe.environment, Cmd: ['/bin/sh'], Labels: { 'hpc-dockerjob-lab': recipe.name } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: `lab build-image ${recipe.name}` }],
  });
}

/** `manifest.json` of a `docker save` archive with one image of one layer. */
export function renderManifest(reference: string, configFile: string, layerFile: string): string {
  return JSON.stringify([{ Config: configFile, RepoTags: [reference], Layers: [layerFile] }]);
}
