import { JobError } from '../values/errors.ts';

/** More tasks or CPUs on one host than any machine has: a larger number is a forgery or a fault. */
const maxCount = 65_536;

/**
 * One number for each host out of a Slurm count list: `2(x3),1` is 2 2 2 1.
 * Fails with `ALLOCATION_INVALID` when it is none or does not speak of exactly `hostCount` hosts.
 */
export function expandCountList(text: string, hostCount: number): number[] {
  const counts: number[] = [];
  for (const item of text.split(',')) {
    const match = /^(\d{1,6})(?:\(x(\d{1,6})\))?$/.exec(item);
    const count = Number(match?.[1]);
    const repeats = Number(match?.[2] ?? 1);
    if (match === null || count < 1 || count > maxCount || repeats < 1) {
      throw invalid(text, `"${item.slice(0, 80)}" is not a count like 4 or 2(x3)`);
    }
    // Before the numbers are made: a forged repeat must not cost memory.
    if (counts.length + repeats > hostCount) throw invalid(text, `it speaks of more than the job's ${hostCount} hosts`);
    for (let repeat = 0; repeat < repeats; repeat++) counts.push(count);
  }
  if (counts.length < hostCount) throw invalid(text, `it speaks of ${counts.length} of the job's ${hostCount} hosts`);
  return counts;
}

function invalid(text: string, reason: string): JobError {
  return new JobError({
    code: 'ALLOCATION_INVALID',
    message: `The list of counts per host ${JSON.stringify(text.slice(0, 200))} cannot be read: ${reason}.`,
    hint: 'It must look like 2(x3),1 and have one number for each host.',
  });
}
