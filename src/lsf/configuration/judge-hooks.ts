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

/** True when the section's jobs are started by this program's job starter. */
export function hasStarter({ keywords }: Section): boolean {
  return isStarter(keywords.get('JOB_STARTER') ?? '');
}

function isStarter(line: string): boolean {
  return /hpc-submit-dockerjob\s+starter/.test(line);
}

/** What site.yaml makes of jobs that name no image themselves. */
export interface HookWishes {
  /** It gives them images, by alias or queue. */
  readonly wantsStarter: boolean;
  /** It starts them before their script. */
  readonly wantsPrologue: boolean;
}

/** What of the lines that docs/lsf.md asks for is missing. */
export function judgeHooks({ keywords }: Section, { wantsStarter, wantsPrologue }: HookWishes): HookFaults {
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
  if (/["']\s*%USRCMD\s*["']/i.test(line('JOB_STARTER')) && isStarter(line('JOB_STARTER')))
    faults.push('JOB_STARTER has %USRCMD in quotes: a command with quotes of its own breaks; leave it out');
  if (wantsStarter && !isStarter(line('JOB_STARTER')))
    faults.push('JOB_STARTER is not hpc-submit-dockerjob starter: jobs with an alias run on the host itself');
  if (/^\s*docker\b/i.test(line('CONTAINER'))) faults.push('CONTAINER=docker: jobs are in a container already');
  if (![line('PRE_EXEC'), line('HOST_PRE_EXEC')].some((value) => value.includes('share/lsf/pre-exec')))
    warnings.push('no PRE_EXEC: jobs start on unfit hosts, and fail there');
  const startsEarly = (value: string): boolean => /share\/lsf\/pre-exec\s+--start(?:\s|$)/.test(value);
  if (startsEarly(line('HOST_PRE_EXEC')))
    faults.push('HOST_PRE_EXEC has --start: every host of a job would start it; PRE_EXEC alone may');
  if (wantsPrologue && wantsStarter && !startsEarly(line('PRE_EXEC')))
    warnings.push('PRE_EXEC is not share/lsf/pre-exec --start: lsf.start: prologue has no effect on its jobs');
  if (wantsPrologue && startsEarly(line('PRE_EXEC')) && differs(line('PRE_EXEC'), line('JOB_STARTER')))
    warnings.push('PRE_EXEC and JOB_STARTER have not the same options: what the one starts, the other takes away');
  if (!wantsPrologue && startsEarly(line('PRE_EXEC')))
    warnings.push('PRE_EXEC has --start, which has no effect without lsf.start: prologue in site.yaml');
  if (!/(?:^|[\s(])75(?:[\s)]|$)/.test(line('REQUEUE_EXIT_VALUES')))
    warnings.push('REQUEUE_EXIT_VALUES has no 75: jobs that a temporary fault has ended are not started again');
  return { faults, warnings };
}

const optionsOfPreExec = /share\/lsf\/pre-exec\s+--start(?<options>.*)/;
const optionsOfStarter = /hpc-submit-dockerjob\s+starter(?<options>.*)/;

/** True when both are ours and name other images. */
function differs(preExec: string, starter: string): boolean {
  const [early, late] = [optionsOfPreExec.exec(preExec), optionsOfStarter.exec(starter)].map((found) =>
    found?.groups?.['options']
      ?.replaceAll(/%USRCMD|["']/gi, ' ')
      .trim()
      .replaceAll(/\s+/g, ' '),
  );
  return late !== undefined && early !== late;
}
