import { existsSync } from 'node:fs';
import type { EntryOrder } from '../contract/enter-protocol.ts';
import { entryOrderSchema } from '../contract/enter-protocol.ts';
import { containerPaths } from '../contract/container-paths.ts';
import { retryUntil } from '../system/retry-until.ts';
import { JobError } from '../values/errors.ts';
import { parseJsonAs } from '../values/parse-json-as.ts';
import { listPrivateFiles } from './files/container-files.ts';
import { takeSurroundings } from './files/job-surroundings.ts';
import { enterWorkdir } from './launch/enter-workdir.ts';
import { findShell, runEntered } from './launch/start-entered.ts';

/** The helper has looked at this process long before; what it waits for is written by an agent that has just begun. */
const leaveMs = 20_000;
const surroundingsMs = 5000;

/**
 * The first program of whoever enters a container that runs: waits until the helper has seen that it is confined as it must
 * be, and then runs what was asked for as the job's command runs. Resolves to its exit status.
 */
export async function enter(text: string): Promise<number> {
  const order = parseJsonAs(entryOrderSchema, text);
  await awaitLeave(`${containerPaths.socketDirectory}/${order.leave}`);
  const file = listPrivateFiles(containerPaths.private).surroundings;
  await retryUntil(() => existsSync(file) || undefined, { pauseMs: 20, deadlineMs: surroundingsMs });
  const { environment, workdir, umask } = takeSurroundings(file);
  enterWorkdir(workdir);
  process.umask(umask);
  return await runEntered(commandOf(order), { ...environment, ...terminalOf(order) });
}

async function awaitLeave(file: string): Promise<void> {
  if (await retryUntil(() => existsSync(file) || undefined, { pauseMs: 5, deadlineMs: leaveMs })) return;
  throw new JobError({ code: 'HELPER_LOST', message: 'The helper that has entered the container does not go on.' });
}

function commandOf({ command }: EntryOrder): readonly string[] {
  return command.length > 0 ? command : [findShell()];
}

/** Without a terminal the job's own TERM stays, if it has one. */
function terminalOf({ isTerminal, terminalName }: EntryOrder): Record<string, string> {
  return isTerminal ? { TERM: terminalName ?? 'dumb' } : {};
}
