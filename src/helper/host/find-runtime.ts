import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { JobError } from '../../values/errors.ts';

/** What is brought into every container: Node, its libraries and loader, the agent. */
export interface Runtime {
  readonly runtimeDirectory: string;
  readonly loaderName: string;
}

/**
 * The runtime that the set-up made for this very version of the package, by the link `runtime` in it. The directory
 * behind the link lies outside of the package, so that containers that run keep theirs when npm replaces the package.
 * Fails with `HOST_UNFIT` when it is missing or could have been changed by anyone but root.
 */
export async function findRuntime(packageDirectory: string): Promise<Runtime> {
  const link = `${packageDirectory}/runtime`;
  if (!existsSync(link)) throw missing(link);
  const runtimeDirectory = await checkUntamperable(link, { expected: 'directory', code: 'HOST_UNFIT' });
  const names = await readdir(`${runtimeDirectory}/lib`).catch(() => []);
  const loaderName = names.find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
  if (loaderName === undefined) throw missing(runtimeDirectory);
  return { runtimeDirectory, loaderName };
}

function missing(path: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `The runtime for containers is missing in ${path}.`,
    hint: 'An administrator runs hpc-dockerjob-setup on this host.',
  });
}
