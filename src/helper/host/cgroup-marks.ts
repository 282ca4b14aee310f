import { writeFile } from 'node:fs/promises';
import type { JobKey } from '../../contract/job-key.ts';
import { nodeRunDirectory } from '../../contract/own-objects.ts';
import { readNodeFiles } from './run-directory.ts';

/** The cgroup that a node's container gets for its parent, and the hierarchies in which it is the scheduler's. */
export interface CgroupMark {
  readonly path: string;
  readonly schedulers: readonly string[];
}

const fileName = 'cgroup-parent';

/** Notes the parent before it is made: it is found by this where no container has come to be. Removed with the node's files. */
export async function markCgroup(job: JobKey, index: number, { path, schedulers }: CgroupMark): Promise<void> {
  await writeFile(`${nodeRunDirectory(job, index)}/${fileName}`, [path, ...schedulers].join('\n'), { mode: 0o600 });
}

/** The marks of all nodes of the job on this host. */
export async function listCgroupMarks(job: JobKey): Promise<readonly CgroupMark[]> {
  return (await readNodeFiles(job, fileName)).map((text) => {
    const [path = '', ...schedulers] = text.split('\n');
    return { path, schedulers };
  });
}
