import { containerPaths } from '../contract/container-paths.ts';
import type { Mount } from '../ports/container-engine.ts';

/** Files of a node that its container gets in place of the image's, as they are called below /etc. */
export const runFiles = ['passwd', 'group', 'hosts'] as const;

/** What a container gets of its node's run directory, which is root's. */
export function describeRunMounts(runDirectory: string): readonly Mount[] {
  return [
    ...runFiles.map((name) => ({
      ...{ source: `${runDirectory}/${name}`, target: `/etc/${name}`, readOnly: true, isFile: true },
    })),
    { source: `${runDirectory}/helper`, target: containerPaths.socketDirectory, readOnly: true },
  ];
}
