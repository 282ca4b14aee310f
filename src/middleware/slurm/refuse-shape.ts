import { heterogeneous } from '../../slurm/read-allocation.ts';
import { calledManyTimes } from '../../slurm/refuse-many-tasks.ts';
import { leastHosts } from '../../slurm/submit/submission.ts';
import type { SlurmSubmission } from '../../slurm/submit/submission.ts';

/**
 * Refuses the kinds of job in which a call of ours is refused when it starts, in the same words: heterogeneous ones, and those
 * of which `srun` would start it more than once.
 */
export function refuseShape(submission: SlurmSubmission, { isOwnCall }: { readonly isOwnCall: boolean }): void {
  if ((submission.component ?? 0) > 0) throw heterogeneous();
  const asked = /^\d{1,9}$/.exec(submission.tasks ?? '')?.[0];
  const tasks = Math.max(Number(asked ?? 1), leastHosts(submission) ?? 1);
  if (isOwnCall && submission.kind === 'srun' && tasks > 1) throw calledManyTimes(String(tasks));
}
