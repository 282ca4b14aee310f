import { readFileSync } from 'node:fs';
import { JobError } from '../values/errors.ts';

/**
 * `USAGE` where this process was called in a way in which none of its programs can become root, as sudo must: then nothing is
 * wrong with the host. Undefined where nothing of that is seen.
 */
export function findLostRoot(directory = '/proc/self'): JobError | undefined {
  const status = readOrEmpty(`${directory}/status`);
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(status)?.[1] ?? '0';
  if (field('TracerPid') !== '0')
    return lost('under a debugger (strace, gdb)', 'Call it without, or trace the command: -- strace …');
  if (field('NoNewPrivs') !== '0')
    return lost(
      'where no program may gain rights (no new privileges: setpriv, bwrap, Apptainer)',
      'Call it outside of that.',
    );
  if (!hasRoot(readOrEmpty(`${directory}/uid_map`)))
    return lost('in a user namespace (unshare, a rootless container)', 'Call it outside of that.');
  return undefined;
}

/** A namespace that a user made for himself has no root, or himself for one; those of containers that are hosts have many users. */
function hasRoot(map: string): boolean {
  if (map === '') return true; // a kernel without user namespaces
  return map.split('\n').some((line) => {
    const [inside, , count] = line.trim().split(/\s+/);
    return inside === '0' && count !== '1';
  });
}

function lost(where: string, hint: string): JobError {
  return new JobError({
    code: 'USAGE',
    message: `hpc-submit-dockerjob was called ${where}, so sudo cannot start its helper.`,
    hint,
  });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
