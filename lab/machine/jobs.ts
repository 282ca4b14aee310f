/** Jobs in a cluster of guests: handed in by alice on its first guest. */
import { LabError } from '../lab-error.ts';
import type { Cluster } from './cluster.ts';
import { until } from './deadline.ts';

export interface StartedJob {
  readonly id: string;
  /** Waits until its output has these words. */
  readonly shows: (words: string) => Promise<void>;
  /** Waits for its end. */
  readonly end: () => Promise<EndedJob>;
}

export interface EndedJob {
  readonly state: string;
  readonly exitCode: string;
  readonly stdout: string;
  readonly stderr: string;
}

export const inTiny = 'exec hpc-submit-dockerjob --image lab/tiny:1 --';

/** Submits a script as alice. The waits of the job end with the deadline of the guests' commands. */
export async function startJob(
  { guests: [head] }: Cluster,
  script: string,
  sbatch: readonly string[],
): Promise<StartedJob> {
  const submit = `
shift
cd /scratch/alice
runuser -u alice -- sbatch --parsable -o job-%j.out -e job-%j.err "$@" <<'JOB'
#!/bin/bash
${script}
JOB`;
  const id = (await head.run(submit, { args: ['-', ...sbatch] })).trim();
  const read = async (end: 'out' | 'err'): Promise<string> =>
    (await head.tryRun(`cat /scratch/alice/job-${id}.${end}`)).stdout;
  const readState = async (): Promise<{ state: string; exitCode: string }> => {
    const shown = await head.run(`scontrol --oneliner show job ${id}`);
    const field = (name: string): string => new RegExp(`(?:^| )${name}=(\\S+)`).exec(shown)?.[1] ?? '';
    return { state: field('JobState'), exitCode: field('ExitCode') };
  };
  const end = async (): Promise<EndedJob> => {
    const ended = await until({ what: `job ${id} to end` }, async () => {
      const now = await readState();
      return isUnderWay(now.state) ? undefined : now;
    });
    return { ...ended, stdout: await read('out'), stderr: await read('err') };
  };
  const shows = async (words: string): Promise<void> => {
    await until({ what: `"${words}" in the output of job ${id}` }, async () => {
      if ((await read('out')).includes(words)) return true;
      const { state } = await readState();
      if (/^(?:PENDING|CONFIGURING|RUNNING)$/.test(state)) return undefined;
      throw new LabError(`Job ${id} was ${state} before it said "${words}": ${lastLines(await read('err'))}`);
    });
  };
  return { id, shows, end };
}

function isUnderWay(state: string): boolean {
  return /^(?:PENDING|CONFIGURING|RUNNING|COMPLETING|SUSPENDED|STOPPED)$/.test(state);
}

/** What a job said last, for a reason in the table. */
export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ').slice(-600);
}
