/** Jobs in a cluster of guests: handed in by alice on its first guest. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describeFailure, LabError } from '../lab-error.ts';
import { findLeft } from './cluster.ts';
import type { Cluster } from './cluster.ts';

export interface StartedJob {
  readonly id: string;
  /** Waits until its output has these words. */
  readonly shows: (words: string, timeoutMs?: number) => Promise<void>;
  /** Waits for its end. */
  readonly end: (timeoutMs?: number) => Promise<EndedJob>;
}

export interface EndedJob {
  readonly state: string;
  readonly exitCode: string;
  readonly stdout: string;
  readonly stderr: string;
}

export const inTiny = 'exec hpc-submit-dockerjob --image lab/tiny:1 --';
const jobTimeoutMs = 400_000;
const graceMs = 60_000;
const pauseMs = 1_000;
const idleTimeoutMs = 300_000;

/** Submits a script as alice. */
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
  const readState = async (): Promise<{ state: string; exitCode: string; reason: string }> => {
    const shown = await head.run(`scontrol --oneliner show job ${id}`);
    const field = (name: string): string => new RegExp(`(?:^| )${name}=(\\S+)`).exec(shown)?.[1] ?? '';
    return { state: field('JobState'), exitCode: field('ExitCode'), reason: field('Reason') };
  };
  const end = async (timeoutMs = jobTimeoutMs): Promise<EndedJob> => {
    const ended = await until(timeoutMs, `job ${id} to end`, async () => {
      const now = await readState();
      return isUnderWay(now.state) ? undefined : now;
    }).catch(async (error: unknown) => {
      const { state, reason } = await readState();
      throw new LabError(`${describeFailure(error)} It is ${state} (${reason}): ${lastLines(await read('err'))}`);
    });
    return { ...ended, stdout: await read('out'), stderr: await read('err') };
  };
  const shows = async (words: string, timeoutMs = jobTimeoutMs): Promise<void> => {
    await until(timeoutMs, `"${words}" in the output of job ${id}`, async () => {
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

/** Asks again until there is an answer. Fails after the deadline with what was waited for. */
export async function until<T>(timeoutMs: number, what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new LabError(`Waited ${timeoutMs / 1000} s for ${what}.`);
    await sleep(pauseMs);
  }
}

/** Fails when something of a job is on a guest still after a grace. */
export async function requireNothingLeft({ guests }: Cluster): Promise<void> {
  let left: readonly string[] = [];
  await until(graceMs, 'nothing to be left', async () => {
    const found = await Promise.all(
      guests.map(async (guest) => (await findLeft(guest)).map((line) => `${guest.place.name}: ${line}`)),
    );
    left = found.flat();
    return left.length === 0 ? true : undefined;
  }).catch((error: unknown) => {
    throw left.length === 0 ? error : new LabError(`Left behind: ${left.slice(0, 6).join('; ')}`);
  });
}

/** Ends what a case has left and cleans by the operator's means, so that the next case begins with an idle cluster. */
export async function makeIdle({ guests: [head, ...others] }: Cluster): Promise<void> {
  await head.tryRun(
    `
for job in $(squeue --noheader --states=S --format=%A); do scontrol resume "$job" || true; done
scancel --user=alice || true
for try in $(seq 60); do [ -z "$(squeue --noheader)" ] && break; sleep 1; done
scontrol update nodename=ALL state=resume 2>/dev/null || true`,
    { timeoutMs: idleTimeoutMs },
  );
  for (const guest of [head, ...others])
    await guest.tryRun(`docker ps --quiet --all | xargs --no-run-if-empty docker rm --force
hpc-dockerjob-helper reap || /opt/hpc-submit-dockerjob/bin/hpc-dockerjob-helper reap || true
find /sys/fs/cgroup -depth -type d -path '*/job_[0-9]*' -exec rmdir {} + || true`);
}
