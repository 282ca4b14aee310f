import type { JobKey } from '../../contract/job-key.ts';
import type { HelperContext } from '../open-context.ts';
import { requireOwner } from './identify-caller.ts';

/**
 * Fails with `JOB_NOT_YOURS` unless the caller is root or the job's owner: by its plan or containers (`ownerUid`), or where
 * it has neither by the scheduler's word. A job that is not there, one that has ended and one of another user get the same
 * answer in about the same time, so that nobody learns of others' jobs.
 */
export async function requireOwnJob(
  { caller, authorities }: Pick<HelperContext, 'caller' | 'authorities'>,
  job: JobKey,
  ownerUid: number | undefined,
): Promise<void> {
  if (caller.kind === 'root' || ownerUid === caller.uid) return;
  const owners = await authorities.findOwners(job);
  if (ownerUid === undefined && owners.includes(caller.uid)) return;
  requireOwner(caller, ownerUid, job);
}
