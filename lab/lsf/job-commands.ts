/** bkill, bstop and bresume. */
import { constants } from 'node:os';
import { askMaster } from './ask-master.ts';
import { CommandError, failureStatus } from './command-error.ts';
import type { Settings } from './settings.ts';
import { textOf } from './wire.ts';

type Control =
  { readonly action: 'terminate' | 'suspend' | 'resume' } | { readonly action: 'signal'; readonly signal: string };

/** bkill [-s signal] job…: without a signal INT, TERM, KILL in turn. */
export async function bkill(settings: Settings, argv: readonly string[]): Promise<number> {
  const rest = [...argv];
  if (rest[0] === '-l') {
    process.stdout.write('KILL TERM INT STOP CONT HUP USR1 USR2 TSTP\n');
    return 0;
  }
  if (rest[0] !== '-s') return await controlEach(settings, rest, { action: 'terminate' });
  return await controlEach(settings, rest.slice(2), { action: 'signal', signal: toSignal(rest[1] ?? '') });
}

export function bstop(settings: Settings, argv: readonly string[]): Promise<number> {
  return controlEach(settings, argv, { action: 'suspend' });
}

export function bresume(settings: Settings, argv: readonly string[]): Promise<number> {
  return controlEach(settings, argv, { action: 'resume' });
}

function toSignal(text: string): string {
  const byNumber = Object.entries(constants.signals).find(([, number]) => String(number) === text)?.[0];
  const name = byNumber ?? `SIG${text.replace(/^SIG/, '')}`;
  if (!(name in constants.signals)) throw new CommandError(`${text}: Illegal signal value`);
  return name;
}

/** Asks for each job on its own; the status is 255 when one of them failed. */
async function controlEach(settings: Settings, jobs: readonly string[], control: Control): Promise<number> {
  if (jobs.length === 0) throw new CommandError('Job ID is missing.');
  let status = 0;
  for (const job of jobs) {
    if (!/^\d+(?:\[\d+\])?$/.test(job)) throw new CommandError(`${job}: Illegal job ID.`);
    const answer = await askMaster(settings, { type: 'control', job, ...control });
    if (answer.type === 'controlled') process.stdout.write(`${(answer['lines'] as string[]).join('\n')}\n`);
    else {
      process.stderr.write(`${textOf(answer, 'reason')}\n`);
      status = failureStatus;
    }
  }
  return status;
}
