import { JobError } from '../values/errors.ts';

/**
 * Signals by which a caller could end this process of root's later: timers live through exec, sudo's too. Node has put
 * every signal back to its default and unblocked all, before our first line.
 */
const harmless = ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR', 'SIGSTKFLT'] as const;

/**
 * Gives up what the caller of a sudo rule leaves to this process and the wrapper cannot take back in a shell; the list is
 * in docs/security.md. To be called before anything else, once. Fails with `NOT_PERMITTED` where root has no such right.
 */
export function shedInheritance(): void {
  for (const signal of harmless) process.on(signal, () => undefined);
  // `sudo -P` keeps the caller's groups.
  if (process.geteuid?.() === 0) dropGroups();
}

function dropGroups(): void {
  try {
    process.setgroups?.([]);
  } catch {
    throw new JobError({
      code: 'NOT_PERMITTED',
      message:
        'The helper may not give up its groups: it was started as root of a user namespace, or without CAP_SETGID, not as root of the host.',
      hint: 'It is called by hpc-submit-dockerjob through sudo, and by administrators from a root shell of the host.',
    });
  }
}
