import type { Section } from './parse-configuration.ts';

/** What is wrong with one queue or profile whose jobs use containers. */
export interface HookFaults {
  /** Promises that cannot be kept. */
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

const signs = /hpc-submit-dockerjob|hpc-dockerjob|share\/lsf\//;

/** True when any line of it names this program. */
export function isOurs({ keywords }: Section): boolean {
  return [...keywords.values()].some((value) => signs.test(value));
}

/** What of the lines that docs/lsf.md asks for is missing. `wantsStarter`: site.yaml gives images by alias or queue. */
export function judgeHooks({ keywords }: Section, wantsStarter: boolean): HookFaults {
  const faults: string[] = [];
  const warnings: string[] = [];
  const line = (name: string): string => keywords.get(name) ?? '';
  const suspend = /SUSPEND\s*\[\s*([^\]]*?)\s*\]/i.exec(line('JOB_CONTROLS'))?.[1] ?? '';
  if (suspend === '' || suspend === 'SIGSTOP')
    faults.push('JOB_CONTROLS has no SUSPEND by share/lsf/job-control or SIGTSTP: containers of suspended jobs run on');
  if (/TERMINATE\s*\[[^\]]*\bbkill\b/i.test(line('JOB_CONTROLS')))
    faults.push('JOB_CONTROLS calls bkill in TERMINATE: LSF would call it again and again');
  if (![line('POST_EXEC'), line('HOST_POST_EXEC')].some((value) => /share\/lsf\/post-exec|release-node/.test(value)))
    faults.push('neither HOST_POST_EXEC nor POST_EXEC is share/lsf/post-exec: containers of killed jobs stay');
  if (wantsStarter && !/hpc-submit-dockerjob\s+starter/.test(line('JOB_STARTER')))
    faults.push('JOB_STARTER is not hpc-submit-dockerjob starter: jobs with an alias run on the host itself');
  if (/^\s*docker\b/i.test(line('CONTAINER'))) faults.push('CONTAINER=docker: jobs are in a container already');
  if (![line('PRE_EXEC'), line('HOST_PRE_EXEC')].some((value) => value.includes('share/lsf/pre-exec')))
    warnings.push('no PRE_EXEC: jobs start on unfit hosts, and fail there');
  if (!/(?:^|[\s(])75(?:[\s)]|$)/.test(line('REQUEUE_EXIT_VALUES')))
    warnings.push('REQUEUE_EXIT_VALUES has no 75: jobs that a temporary fault has ended are not started again');
  return { faults, warnings };
}
