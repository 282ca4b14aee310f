import type { SiteConfig } from '../config/site-schema.ts';
import type { JobRequest } from '../contract/job-request.ts';
import { jobRequestSchema } from '../contract/job-request.ts';
import { refuseOversized } from '../contract/request-budget.ts';
import { JobError } from '../values/errors.ts';

/**
 * The request that a user has made, in the form that all judges take; fails with `COMMAND_EMPTY` or `REQUEST_INVALID`,
 * which name what is wrong. A command that comes later is for sites whose jobs are started before their script. Pure.
 */
export function parseJobRequest(value: unknown, { lsf }: Pick<SiteConfig, 'lsf'>): JobRequest {
  const parsed = jobRequestSchema.safeParse(value);
  if (parsed.success && (parsed.data.command.kind !== 'later' || lsf.start === 'prologue')) {
    refuseOversized(parsed.data);
    return parsed.data;
  }
  if (parsed.success) {
    throw new JobError({
      code: 'REQUEST_INVALID',
      message: 'The command of a job cannot come later at this site.',
      hint: 'site.yaml does not say lsf.start: prologue.',
      rule: 'lsf.start',
    });
  }
  const problems = parsed.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.join('.') || 'request'}: ${message}`);
  const isEmptyCommand = parsed.error.issues.every(({ path, code }) => path[0] === 'command' && code !== 'too_big');
  throw new JobError({
    code: isEmptyCommand ? 'COMMAND_EMPTY' : 'REQUEST_INVALID',
    message: `The request is refused: ${problems.join('; ')}.`,
  });
}
