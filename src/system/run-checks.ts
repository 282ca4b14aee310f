import type { Answer, Check, Finding } from '../contract/finding.ts';
import { asJobError, JobError } from '../values/errors.ts';
import { withDeadline } from './deadline.ts';

/** Runs all checks side by side, each with this deadline of its own; findings come in the order of the checks. */
export async function runChecks(checks: readonly Check[], deadlineMs: number): Promise<readonly Finding[]> {
  return await Promise.all(
    checks.map(async ({ name, look }) => {
      const answer = withDeadline(
        deadlineMs,
        async () => await look(),
        () => tooSlow(name, deadlineMs),
      );
      return { check: name, ...(await answer.catch(toFailure)) };
    }),
  );
}

function tooSlow(name: string, deadlineMs: number): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `The check ${name} did not end within ${deadlineMs / 1000} s.`,
    hint: 'Something on this host hangs: a file system, a name service or a daemon.',
  });
}

function toFailure(thrown: unknown): Answer {
  const { code, message, hint } = asJobError(thrown);
  return { verdict: 'fail', code, message, ...(hint === undefined ? {} : { hint }) };
}
