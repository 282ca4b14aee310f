import { writeFile } from 'node:fs/promises';
import type { JobKey } from '../../contract/job-key.ts';
import { nodeRunDirectory } from '../../contract/own-objects.ts';
import type { RootMount } from '../../system/open-files.ts';
import { findRootMount } from '../../system/open-files.ts';
import { readNodeFiles } from './run-directory.ts';

/** The file system of a node's container, by which those who keep its files open are found once it is gone. */
export interface RootMark {
  readonly uid: number;
  readonly root: RootMount;
}

const fileName = 'root-mount';

/** Notes which file system the container of a node has, whose first process is `pid`. Removed with the node's files. */
export async function markRoot(job: JobKey, index: number, pid: number, uid: number): Promise<void> {
  const root = await findRootMount(pid);
  if (root === undefined) return; // it has ended, and was never open to anybody
  await writeFile(`${nodeRunDirectory(job, index)}/${fileName}`, `${uid} ${root.id} ${root.device}`, { mode: 0o600 });
}

/** The marks of all nodes of the job on this host. */
export async function listRootMarks(job: JobKey): Promise<readonly RootMark[]> {
  return (await readNodeFiles(job, fileName)).map(parseRootMark).filter((mark) => mark !== undefined);
}

export function parseRootMark(text: string): RootMark | undefined {
  const [, uid, id, device] = /^([1-9]\d{0,9}) (\d{1,10}) (\d{1,19})$/.exec(text) ?? [];
  if (uid === undefined || id === undefined || device === undefined) return undefined;
  return { uid: Number(uid), root: { id, device: Number(device) } };
}
