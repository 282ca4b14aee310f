import { auditVerb } from './audit.ts';
import { checkHostVerb } from './check-host.ts';
import { controlJobVerb } from './control-job.ts';
import { enterJobVerb } from './enter-job.ts';
import type { HelperVerb } from './helper-verb.ts';
import { metricsVerb } from './metrics.ts';
import { openJobVerb } from './open-job.ts';
import { reapVerb } from './reap.ts';
import { releaseJobVerb } from './release-job.ts';
import { releaseNodeVerb } from './release-node.ts';
import { runNodeVerb } from './run-node.ts';
import { showJobsVerb } from './show-jobs.ts';
import { showRecordsVerb } from './show-records.ts';

/** All that the helper does. A new verb is a file and a line here, and a line of the sudo rule when users may call it. */
export const helperVerbs: readonly HelperVerb[] = [
  openJobVerb,
  runNodeVerb,
  releaseNodeVerb,
  reapVerb,
  releaseJobVerb,
  controlJobVerb,
  enterJobVerb,
  showJobsVerb,
  checkHostVerb,
  showRecordsVerb,
  metricsVerb,
  auditVerb,
];
