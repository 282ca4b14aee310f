import { readFile } from 'node:fs/promises';
import { JobError } from '../values/errors.ts';

/** Fails with `HOST_UNFIT` unless both processes are in the same cgroup of every hierarchy. One that has ended is nowhere. */
export async function verifyBeside(pid: number, other: number): Promise<void> {
  const read = async (each: number): Promise<string> => await readFile(`/proc/${each}/cgroup`, 'utf8').catch(() => '');
  const [own, wanted] = [await read(pid), await read(other)];
  if (own === '' || wanted === '' || own === wanted) return;
  throw new JobError({
    code: 'HOST_UNFIT',
    message:
      'The Docker Engine has not started the process in the cgroup of its container, where the limits of the job are.',
    hint: 'Ask the administrators to look at the cgroup driver of dockerd on this host.',
  });
}
