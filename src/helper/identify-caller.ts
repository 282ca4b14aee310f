import { JobError } from '../shared/errors.ts';

/** Who asks: root itself (a prolog, an administrator), or a user by the site's sudo rule. */
export type Caller = { readonly kind: 'root' } | { readonly kind: 'user'; readonly uid: number };

/**
 * The caller by the word of the kernel and of sudo. Only sudo can give our program root rights to a user, and it
 * overwrites SUDO_UID and SUDO_COMMAND; in a root shell that was opened by sudo the latter names the shell.
 */
export function identifyCaller(effectiveUid: number, environment: NodeJS.ProcessEnv): Caller {
  if (effectiveUid !== 0) {
    throw new JobError({
      code: 'NOT_PERMITTED',
      message: 'The helper was started without root rights.',
      hint: 'It is called by hpc-submit-dockerjob through sudo; an administrator installs the rule with hpc-dockerjob-setup.',
    });
  }
  const helper = environment['HPCDJ_HELPER'] ?? '';
  const viaRule = /^\S*\/hpc-dockerjob-helper(?: |$)/.test(environment['SUDO_COMMAND'] ?? '');
  const sudoUid = environment['SUDO_UID'] ?? '';
  if (sudoUid === '' || !viaRule || helper === '') return { kind: 'root' };
  const uid = Number(sudoUid);
  if (!Number.isSafeInteger(uid) || uid < 0) {
    throw new JobError({ code: 'NOT_PERMITTED', message: `sudo names no valid caller (SUDO_UID="${sudoUid}").` });
  }
  if (uid === 0) return { kind: 'root' };
  return { kind: 'user', uid };
}

/** The uid of the user who asks; refuses root, because a job's containers never run as root. */
export function requireUser(caller: Caller): number {
  if (caller.kind === 'user') return caller.uid;
  throw new JobError({
    code: 'NOT_PERMITTED',
    message: 'Jobs in containers cannot be started by root.',
    hint: 'Submit the job as the user who owns it.',
  });
}

/** Fails with `JOB_NOT_YOURS` unless the caller is root or the job's owner. */
export function requireOwner(caller: Caller, ownerUid: number, job: string): void {
  if (caller.kind === 'root' || caller.uid === ownerUid) return;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${job} belongs to another user.`,
    hint: 'Administrators call the helper from a root shell.',
  });
}
