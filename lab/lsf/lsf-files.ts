/** Where the stand-in for LSF lives in a host, and the text of its configuration. Pure. */
import { cacheDir, productRoot } from '../layout.ts';
import type { LabLayout } from '../layout.ts';
import { defaultConfigDir } from './settings.ts';

export const libraryDir = '/usr/local/lib/lsf-standin';
export const binaryDir = '/usr/local/bin';
/** esub and eexec of the site go here. */
export const serverDir = `${libraryDir}/sbin`;
export const commandNames = [
  ...['bsub', 'bmod', 'bjobs', 'bkill', 'bstop', 'bresume'],
  ...['lsrun', 'bqueues', 'bhosts', 'bparams'],
] as const;
/** The Node that runs the programs, where all hosts see it: a tree on the machine's /tmp is not in a host. */
export const nodeFile = `${cacheDir}/node-${process.version}-${process.arch}`;
export const programFile = `${libraryDir}/standin.mjs`;

const masterPort = 6879;
const agentPort = 6882;
// The reference slides' job asks for 8 slots and has to fit.
const leastSlots = 8;
const leastSlotsPerHost = 2;

/** The daemons of a host: the scheduler on the head and an agent on each node, or those of an installed LSF everywhere. */
export function lsfServicesOf(kind: 'daemon' | 'agent', isInstalled: boolean) {
  if (isInstalled) return ['lim', 'res', 'sbatchd'].map((name) => ({ name, argv: [`${serverDir}/${name}`] }));
  const name = kind === 'daemon' ? 'lsf-standin' : 'lsf-standin-agent';
  return [{ name, argv: [nodeFile, programFile, kind], mark: programFile }];
}

/** A command that users call. */
export function renderCommand(name: string): string {
  return `#!/bin/sh\n# ${name} of the lab's stand-in for LSF.\nexec ${nodeFile} ${programFile} ${name} "$@"\n`;
}

/** Of each node. */
export function slotsOf(layout: LabLayout): number {
  return Math.max(leastSlotsPerHost, Math.ceil(leastSlots / layout.nodes.length));
}

/** The text of lsb.params. */
export function renderParameters(lines: readonly string[]): string {
  return toText(['Begin Parameters', 'DEFAULT_QUEUE=normal', ...lines, 'End Parameters']);
}

/** The configuration files by their names. */
export function renderConfig(layout: LabLayout): Readonly<Record<string, string>> {
  const slots = slotsOf(layout);
  const conf = [
    '# The lab runs a stand-in for LSF: it behaves as an LSF-compatible system was seen to behave, and is none.',
    `STANDIN_CLUSTER=${layout.shape.name}`,
    `STANDIN_MASTER=${layout.head.name}:${layout.head.address}:${masterPort}`,
    `STANDIN_LIKE=${layout.shape.lsf ?? 'plain'}`,
    'STANDIN_AUTH=munge',
    `LSF_BINDIR=${binaryDir}`,
    `LSF_SERVERDIR=${serverDir}`,
    `LSF_LIBDIR=${libraryDir}`,
    'LSB_SUB_COMMANDNAME=y',
  ];
  return {
    'lsf.conf': toText(conf),
    'lsb.params': renderParameters(['MBD_SLEEP_TIME=3', 'JOB_TERMINATE_INTERVAL=10']),
    'lsb.queues': renderQueues(),
    'standin.hosts': toText(layout.nodes.map(({ name, address }) => `${name} ${address} ${agentPort} ${slots}`)),
  };
}

/** What the product has for LSF, as installed in a host. */
export const kitDir = `${productRoot}/lib/node_modules/hpc-submit-dockerjob/share/lsf`;

const hooks = [`POST_EXEC = ${kitDir}/post-exec`, 'REQUEUE_EXIT_VALUES = 75'];

/** What `docs/lsf.md` tells administrators to write, in two queues: with LSF's own signals, and with all of the kit. */
export function renderQueues(): string {
  const controls = ['SUSPEND', 'RESUME', 'TERMINATE'].map(
    (action) => `${action}[${kitDir}/job-control ${action.toLowerCase()}]`,
  );
  return [
    renderQueue('normal', ['DESCRIPTION = the default queue', ...hooks]),
    renderQueue('docker', [
      'DESCRIPTION = jobs run in containers',
      ...hooks,
      `JOB_STARTER = ${productRoot}/bin/hpc-submit-dockerjob starter`,
      `JOB_CONTROLS = ${controls.join(' ')}`,
    ]),
  ].join('\n');
}

/** One section of lsb.queues. */
export function renderQueue(name: string, lines: readonly string[]): string {
  return toText(['Begin Queue', `QUEUE_NAME = ${name}`, ...lines, 'End Queue']);
}

export const configDir = defaultConfigDir;

function toText(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
