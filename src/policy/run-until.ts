import type { SiteConfig } from '../config/site-schema.ts';
import type { JobPlan } from '../contract/job-plan.ts';

/**
 * When a container that is made now must be gone, in seconds of the epoch, as text for its label; empty without a limit.
 * Later than its keeper ends it: this is for a keeper that has been stopped.
 */
export function runUntil(
  plan: Pick<JobPlan, 'maxRunSeconds' | 'command'>,
  { deadlines }: SiteConfig,
  nowMs = Date.now(),
): string {
  if (plan.maxRunSeconds === 0) return '';
  const scriptSeconds = plan.command.kind === 'later' ? deadlines.scriptSeconds : 0;
  const slackSeconds = deadlines.startSeconds + deadlines.discoverSeconds + scriptSeconds + deadlines.releaseSeconds;
  return String(Math.ceil(nowMs / 1000) + plan.maxRunSeconds + slackSeconds);
}
