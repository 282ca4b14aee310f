/** What the engine calls the processors on which this program can run, besides those that they imitate. */
const runnable: Readonly<Partial<Record<NodeJS.Architecture, readonly string[]>>> = {
  x64: ['amd64', '386'],
  arm64: ['arm64', 'arm'],
};

/** Architectures of images that run on this processor, the usual one first; undefined for one that nobody has tried. */
export function listRunnable(processor: NodeJS.Architecture = process.arch): readonly string[] | undefined {
  return runnable[processor];
}

/** True for a platform on whose images nothing is known to be wrong here. */
export function isRunnable({ architecture, os }: { readonly architecture: string; readonly os: string }): boolean {
  return os === 'linux' && (listRunnable()?.includes(architecture) ?? true);
}
