/** A job's files in the `.lsbatch` of its user, and its output files at the end. */
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { asUser } from './as-user.ts';
import { expandFileName, listSlots, spoolBase } from './job-environment.ts';
import { renderJobFile } from './job-file.ts';
import type { JobOrder } from './job.ts';
import type { Settings } from './settings.ts';

export interface JobSpool {
  readonly jobFile: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Writes the job file, the user's script and the host file; files of an earlier try are replaced. */
export async function writeSpool(settings: Settings, order: JobOrder): Promise<JobSpool> {
  const base = spoolBase(order);
  const { request } = order.submission;
  const spool = {
    jobFile: base,
    stdout: `${base}.out`,
    stderr: request.errFile === undefined ? `${base}.out` : `${base}.err`,
  };
  const starter = settings.queues.find(({ name }) => name === order.queue)?.jobStarter;
  const command = request.script === undefined ? request.command : `${base}.shell`;
  await asUser(settings, order.user, () => {
    mkdirSync(dirname(base), { recursive: true, mode: 0o700 });
    for (const file of [spool.stdout, spool.stderr]) writeFileSync(file, '', { mode: 0o600 });
    writeFileSync(base, renderJobFile(command, starter), { mode: 0o700 });
    if (request.script !== undefined) writeFileSync(`${base}.shell`, request.script, { mode: 0o700 });
    if (settings.likeIbm) writeFileSync(`${base}.hostfile`, `${listSlots(order.shares).join('\n')}\n`, { mode: 0o600 });
  });
  return spool;
}

/** Copies the job's output to the files of `-o` and `-e`, with the report that precedes it; without `-o` it is dropped. */
export async function deliverOutput(
  settings: Settings,
  order: JobOrder,
  spool: JobSpool,
  status: number,
): Promise<void> {
  const { request, cwd } = order.submission;
  const target = (name: string): string => resolve(cwd, expandFileName(name, order));
  await asUser(settings, order.user, () => {
    if (request.outFile !== undefined) {
      const errors =
        request.errFile === undefined
          ? ''
          : `\n\nPS:\n\nRead file <${target(request.errFile)}> for stderr output of this job.\n`;
      appendFileSync(
        target(request.outFile),
        `${renderReport(order, status)}${readFileSync(spool.stdout, 'latin1')}${errors}`,
        'latin1',
      );
    }
    if (request.errFile !== undefined) appendFileSync(target(request.errFile), readFileSync(spool.stderr));
  }).catch(() => undefined);
}

/** Removes the job's files. */
export async function removeSpool(settings: Settings, order: JobOrder): Promise<void> {
  const base = spoolBase(order);
  await asUser(settings, order.user, () => {
    for (const ending of ['', '.shell', '.out', '.err', '.hostfile']) rmSync(`${base}${ending}`, { force: true });
  }).catch(() => undefined);
}

/** The lines before a job's output in its `-o` file. */
function renderReport(order: JobOrder, status: number): string {
  const { request, submitHost, cwd } = order.submission;
  const name = request.name ?? request.command;
  const hosts = order.shares.map(({ host, slots }) => (slots === 1 ? `<${host}>` : `<${slots}*${host}>`)).join(', ');
  return [
    `Sender: LSF stand-in <root@${order.shares[0]?.host ?? ''}>`,
    `Subject: Job ${order.id}: <${name}> ${status === 0 ? 'Done' : 'Exited'}`,
    '',
    `Job <${name}> was submitted from host <${submitHost}> by user <${order.user.name}>.`,
    `Job was executed on host(s) ${hosts}, in queue <${order.queue}>, as user <${order.user.name}>.`,
    `<${cwd}> was used as the working directory.`,
    '',
    'Your job looked like:',
    '',
    '------------------------------------------------------------',
    '# LSBATCH: User input',
    request.script ?? request.command,
    '------------------------------------------------------------',
    '',
    status === 0 ? 'Successfully completed.' : `Exited with exit code ${status}.`,
    '',
    'The output (if any) follows:',
    '',
    '',
  ].join('\n');
}
