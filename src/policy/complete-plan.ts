import type { SiteConfig } from '../config/site-schema.ts';
import type { JobPlan } from '../contract/job-plan.ts';
import type { ImageFacts } from '../ports/container-engine.ts';
import { passVariables } from './pass-variables.ts';

/** The plan with what `open-job` left open because it had not seen the image. Pure. */
export function completePlan(
  { container }: Pick<SiteConfig, 'container'>,
  plan: JobPlan,
  { environment }: Pick<ImageFacts, 'environment'>,
): JobPlan {
  if (plan.offered === undefined) return plan;
  const passed = passVariables(plan.offered, container.passEnvironment, environment);
  return { ...plan, environment: { ...passed, ...plan.environment } };
}
