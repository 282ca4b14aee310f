/** The programs that a site puts around a job: eexec and the commands of queue and job before and after it. */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobUser } from './job.ts';
import { startProcess } from './start-process.ts';
import type { ProcessOrder, StartedProcess } from './start-process.ts';
import type { Settings } from './settings.ts';

const hookPath = '/bin:/usr/bin:/sbin:/usr/sbin';

/** Where hooks of one job run: as whom, and how the job's signals find them. */
export interface HookRunner {
  readonly settings: Settings;
  readonly user: JobUser;
  /** Told what runs now, so that signals reach it. */
  onStart(process: StartedProcess): void;
}

/** Runs eexec, if the site has one, with what the esubs wrote as its input. */
export async function runEexec(
  runner: HookRunner,
  environment: Readonly<Record<string, string>>,
  input = Buffer.alloc(0),
): Promise<void> {
  const eexec = join(runner.settings.serverdir, 'eexec');
  const exists = await access(eexec, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  const order = { argv: [eexec], cwd: '/tmp', environment, stdout: '/dev/null', stderr: '/dev/null' };
  const started = await startProcess(runner.settings, runner.user, order);
  started.child.stdin?.end(input);
  await started.ready;
  runner.onStart(started);
  await started.ended;
}

/** Runs a queue's command: /bin/sh -c in /tmp, nothing on its streams, a fixed PATH. Returns its exit status. */
export async function runQueueHook(
  runner: HookRunner,
  command: string,
  environment: Readonly<Record<string, string>>,
  asRoot: boolean,
): Promise<number> {
  return await run(runner, {
    argv: ['/bin/sh', '-c', command],
    cwd: '/tmp',
    environment: { ...environment, PATH: hookPath },
    stdin: '/dev/null',
    stdout: '/dev/null',
    stderr: '/dev/null',
    asRoot,
  });
}

/** Runs a command of `-E` or `-Ep`: in the job's directory, with the user's PATH, its output beside the job's. */
export async function runJobHook(
  runner: HookRunner,
  command: string,
  place: { readonly cwd: string; readonly environment: Readonly<Record<string, string>>; readonly output: string },
): Promise<number> {
  const { cwd, environment, output } = place;
  const argv = ['/bin/sh', '-c', command];
  return await run(runner, { argv, cwd, environment, stdin: '/dev/null', stdout: output, stderr: output });
}

async function run(runner: HookRunner, order: ProcessOrder): Promise<number> {
  const started = await startProcess(runner.settings, runner.user, order);
  await started.ready;
  runner.onStart(started);
  return (await started.ended).status;
}
