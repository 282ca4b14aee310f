/** The environment of a job, as recorded. Pure. */
import { basename } from 'node:path';
import { trapSignals } from './job-file.ts';
import { nameJob } from './job.ts';
import type { HostShare, JobOrder } from './job.ts';
import type { Settings } from './settings.ts';

// Longer lists are left out; LSB_MCPU_HOSTS is always there.
const maxHostsLength = 4096;
const maxHostsSlots = 2048;

/** Names of a job's files in its user's `.lsbatch`, all beginning with this path. */
export function spoolBase(order: JobOrder): string {
  const element = order.array === undefined ? '' : `.${order.array.index}`;
  return `${order.user.home}/.lsbatch/${order.submitSeconds}.${order.id}${element}`;
}

/** The job's environment: the submitting process's (none of it with `-L`), then what the batch system says, which wins. */
export function buildJobEnvironment(settings: Settings, order: JobOrder): Record<string, string> {
  const { submission, user } = order;
  const own = submission.request.loginShell === undefined ? submission.environment : {};
  const path = own['PATH'] ?? '/bin:/usr/bin:/sbin:/usr/sbin';
  return {
    ...own,
    ...batchVariables(settings, order),
    ...(settings.likeIbm ? ibmVariables(order) : { VOLCLAVA_VERSION: '22' }),
    HOSTNAME: order.shares[0]?.host ?? '',
    HOSTTYPE: 'linux',
    HOME: user.home,
    LOGNAME: user.name,
    PATH: path.split(':')[0] === settings.bindir ? path : `${settings.bindir}:${path}`,
    SHELL: submission.request.loginShell ?? own['SHELL'] ?? '/bin/sh',
    USER: user.name,
  };
}

function batchVariables(settings: Settings, order: JobOrder): Record<string, string> {
  const { submission, user, array } = order;
  const { request } = submission;
  const base = spoolBase(order);
  const queue = settings.queues.find(({ name }) => name === order.queue);
  const hosts = listSlots(order.shares);
  return {
    LSB_ACCT_FILE: `/tmp/.${basename(base)}.acct`,
    LSB_CHKFILENAME: base,
    ...(request.errFile === undefined ? {} : { LSB_ERRORFILE: expandFileName(request.errFile, order) }),
    LSB_EXIT_PRE_ABORT: '99',
    ...(hosts.length > maxHostsSlots || hosts.join(' ').length >= maxHostsLength ? {} : { LSB_HOSTS: hosts.join(' ') }),
    ...(request.interactive === true ? { LSB_INTERACTIVE: 'Y' } : {}),
    LSB_JOBEXIT_STAT: '0',
    LSB_JOBFILENAME: base,
    LSB_JOBID: String(order.id),
    LSB_JOBINDEX: String(array?.index ?? 0),
    ...(array === undefined ? {} : { LSB_JOBINDEX_STEP: String(array.step), LSB_JOBINDEX_END: String(array.end) }),
    LSB_JOBNAME: request.name ?? request.command,
    ...(queue?.jobStarter === undefined ? {} : { LSB_JOB_STARTER: queue.jobStarter }),
    ...(queue === undefined || queue.requeueValues.length === 0
      ? {}
      : { LSB_EXIT_REQUEUE: queue.requeueValues.join(' ') }),
    // The trailing blank is recorded.
    LSB_MCPU_HOSTS: order.shares.map(({ host, slots }) => `${host} ${slots} `).join(''),
    ...(request.outFile === undefined ? {} : { LSB_OUTPUTFILE: expandFileName(request.outFile, order) }),
    LSB_QUEUE: order.queue,
    LSB_SUB_HOST: submission.submitHost,
    LSB_TRAPSIGS: trapSignals,
    LSB_UNIXGROUP: user.group,
    LSFUSER: user.name,
    LSF_BINDIR: settings.bindir,
    LSF_EAUTH_CLIENT: 'user',
    LSF_EAUTH_SERVER: `mbatchd@${settings.cluster}`,
    LSF_ENVDIR: settings.configDir,
    LSF_LIBDIR: settings.libdir,
    LSF_SERVERDIR: settings.serverdir,
    LS_EXEC_T: 'START',
    // Filled in by the process that becomes the job's res.
    LS_JOBPID: '',
    LS_SUBCWD: describeDirectory(submission.cwd, user.home),
    XLSF_UIDDIR: `${settings.libdir}/uid`,
  };
}

/** What IBM documents beyond that; only where the stand-in was told to be like IBM's. */
function ibmVariables(order: JobOrder): Record<string, string> {
  const slots = String(listSlots(order.shares).length);
  return {
    LSB_BATCH_JID: nameJob({ id: order.id, index: order.array?.index ?? 0 }),
    LSB_DJOB_HOSTFILE: `${spoolBase(order)}.hostfile`,
    LSB_DJOB_NUMPROC: slots,
    LSB_MAX_NUM_PROCESSORS: slots,
  };
}

/** One entry per slot. */
export function listSlots(shares: readonly HostShare[]): string[] {
  return shares.flatMap(({ host, slots }) => Array.from({ length: slots }, () => host));
}

/** `%J` is the job's number, `%I` its index. */
export function expandFileName(name: string, order: JobOrder): string {
  return name.replaceAll('%J', String(order.id)).replaceAll('%I', String(order.array?.index ?? 0));
}

/** A directory below the home begins with the home and a slash, even when it is the home itself. */
function describeDirectory(cwd: string, home: string): string {
  return cwd === home ? `${home}/` : cwd;
}
