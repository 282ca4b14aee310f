import type { FileHandle } from 'node:fs/promises';
import type { JobCommand } from '../../contract/job-request.ts';
import { PartIsOver } from '../connect-helper.ts';
import type { HelperLink } from '../connect-helper.ts';
import { passCommandSignals } from './pass-command-signals.ts';
import { watchShm } from './note-full-shm.ts';
import type { ShmWatch } from './note-full-shm.ts';
import { startCommand } from './start-command.ts';
import type { UndoStack } from '../undo-stack.ts';
import { pause, within } from '../../system/deadline.ts';

/** The helper writes the outcome to the store, then says `finish`. */
const finishDeadlineMs = 60_000;

/** A scheduler that ends the job tells this process last, perhaps: what it has told the keeper must come first. */
const stopWordMs = 1000;

/** Not the command's own end, though the command ends of it. */
async function tellOfStop(link: HelperLink): Promise<void> {
  const reason: unknown = link.over.reason;
  if (!(reason instanceof PartIsOver) || reason.reason !== 'terminated') return;
  await pause(stopWordMs);
  link.send({
    type: 'failed',
    code: 'NODE_LOST',
    message: 'the container was told to end, by the Docker Engine of its host or by a process in it, not by the job.',
  });
}

/**
 * Runs the job's command on the master, reports how it ended and waits for the end of the job. When the part is over
 * before the command, its process group is asked to end, then forced. Resolves with the command's exit status.
 */
export async function runJobCommand(
  link: HelperLink,
  job: {
    readonly command: JobCommand;
    /** Closed here once the command has it. Without one its standard input is empty. */
    readonly input: FileHandle | undefined;
    readonly environment: Readonly<Record<string, string>>;
    readonly stopGraceMs: number;
  },
  undo: UndoStack,
): Promise<number> {
  using shm = watchShm();
  const { group, started, ended } = startCommand(job.command, job.environment, job.input?.fd);
  await job.input?.close(); // who writes to it must see when the command reads no more
  undo.push(() => group.end(job.stopGraceMs));
  link.onSignal(passCommandSignals(group));
  if (await started) link.send({ type: 'started' });

  const isOver = link.whenOver();
  const first = await Promise.race([ended, isOver.then(() => undefined)]);
  if (first !== undefined) tellExit(link, first, shm);
  else await Promise.all([group.end(job.stopGraceMs), tellOfStop(link)]);
  const exitStatus = await ended;
  await within(finishDeadlineMs, isOver, undefined, { keepsAlive: false });
  return exitStatus;
}

/** The remark first: after the end nobody listens. */
function tellExit(link: HelperLink, exitStatus: number, shm: ShmWatch): void {
  const remark = shm.explain(exitStatus);
  if (remark !== undefined) link.send({ type: 'note', message: remark });
  link.send({ type: 'exited', exitStatus });
}
