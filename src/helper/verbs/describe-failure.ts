import { asJobError, JobError } from '../../values/errors.ts';

/** What `await using` wraps is unwrapped: the first failure counts, a failed clean-up stands beside it. */
export function describeFailure(thrown: unknown): JobError {
  if (!(thrown instanceof SuppressedError)) return asJobError(thrown);
  const first = describeFailure(thrown.suppressed);
  const { message } = asJobError(thrown.error);
  return new JobError({
    code: first.code,
    message: first.message,
    hint: `${first.hint ?? ''} (Clean-up failed too: ${message})`.trim(),
    rule: first.rule,
    cause: thrown,
  });
}
