import { JobError } from '../shared/errors.ts';
import type { JobKey } from '../shared/job-key.ts';
import { labels } from '../shared/labels.ts';
import { requireOwner } from './identify-caller.ts';
import type { HelperContext } from './open-context.ts';

/** Suspends, resumes or stops this host's containers of a job. Repeat-safe; none being there is no error. */
export async function controlJob(context: HelperContext, job: JobKey, action: string): Promise<void> {
  if (action !== 'suspend' && action !== 'resume' && action !== 'stop') {
    throw new JobError({
      code: 'USAGE',
      message: `"${action.slice(0, 40)}" is no action.`,
      hint: 'Known: suspend, resume, stop.',
    });
  }
  const found = await context.engine.findContainers({ [labels.job]: job });
  for (const { labels: own } of found) requireOwner(context.caller, Number(own[labels.uid]), job);
  for (const { id, running } of found) {
    if (!running) continue;
    const container = context.engine.openContainer(id);
    if (action === 'suspend') await container.pause();
    else if (action === 'resume') await container.unpause();
    else await container.stop(context.site.deadlines.stopSeconds);
  }
  context.audit.record('job-controlled', { job, action, containers: found.map(({ name }) => name) });
}
