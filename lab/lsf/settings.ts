/** What the stand-in's programs are told by their configuration: lsf.conf, lsb.params, lsb.queues and standin.hosts of one directory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseQueues } from './queues.ts';
import type { Queue } from './queues.ts';

export const defaultConfigDir = '/etc/lsf-standin';

/** One execution host: where its agent listens and how many jobs' slots it has. */
export interface StandinHost {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly slots: number;
}

export interface Settings {
  readonly configDir: string;
  readonly cluster: string;
  readonly bindir: string;
  readonly serverdir: string;
  readonly libdir: string;
  readonly workdir: string;
  readonly master: { readonly name: string; readonly address: string; readonly port: number };
  readonly hosts: readonly StandinHost[];
  readonly queues: readonly Queue[];
  readonly defaultQueue: string;
  readonly esubMethod: string;
  readonly namesCommandToEsub: boolean;
  /** `munge`: callers prove who they are. `none`: everybody is whoever runs the daemons, as tests without users want it. */
  readonly auth: 'munge' | 'none';
  /** True imitates what IBM's has beyond the recorded system: blaunch, LSB_DJOB_HOSTFILE and its kin. */
  readonly likeIbm: boolean;
  /** Statuses of a pre-exec after which a job is not tried on that host again; IBM's only, as it documents them. */
  readonly excludeHostValues: readonly number[];
  readonly cycleMs: number;
  readonly terminateIntervalMs: number;
  readonly warnTimeMs: number;
  /** Pause between looks at a job's processes: only what was seen once is signalled when it has left the job's group. */
  readonly lookMs: number;
  /** Length of a minute of `-W` and RUNLIMIT; less than 60 s in tests only. */
  readonly minuteMs: number;
}

/** Reads the configuration; as in the recorded system LSF_ENVDIR and LSF_SERVERDIR of the caller's environment win. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const configDir = env['LSF_ENVDIR'] ?? defaultConfigDir;
  const conf = parseAssignments(readFileSync(join(configDir, 'lsf.conf'), 'utf8'));
  const params = parseAssignments(readFileSync(join(configDir, 'lsb.params'), 'utf8'));
  const [masterName = '', masterAddress = '', masterPort = ''] = (conf.get('STANDIN_MASTER') ?? '').split(':');
  const queues = parseQueues(readFileSync(join(configDir, 'lsb.queues'), 'utf8'));
  const milliseconds = (name: string, seconds: number): number => Number(params.get(name) ?? seconds) * 1000;
  return {
    configDir,
    cluster: conf.get('STANDIN_CLUSTER') ?? 'lsftest',
    bindir: conf.get('LSF_BINDIR') ?? '/usr/local/bin',
    serverdir: env['LSF_SERVERDIR'] ?? conf.get('LSF_SERVERDIR') ?? join(configDir, 'sbin'),
    libdir: conf.get('LSF_LIBDIR') ?? join(configDir, 'lib'),
    workdir: conf.get('STANDIN_WORKDIR') ?? '/var/spool/lsf-standin',
    master: { name: masterName, address: masterAddress, port: Number(masterPort) },
    hosts: parseHosts(readFileSync(join(configDir, 'standin.hosts'), 'utf8')),
    queues,
    defaultQueue: params.get('DEFAULT_QUEUE') ?? queues[0]?.name ?? 'normal',
    esubMethod: conf.get('LSB_ESUB_METHOD') ?? '',
    namesCommandToEsub: /^y/i.test(conf.get('LSB_SUB_COMMANDNAME') ?? ''),
    auth: conf.get('STANDIN_AUTH') === 'none' ? 'none' : 'munge',
    likeIbm: conf.get('STANDIN_LIKE') === 'ibm',
    excludeHostValues: conf.get('STANDIN_LIKE') === 'ibm' ? numbersOf(params, 'PREEXEC_EXCLUDE_HOST_EXIT_VALUES') : [],
    cycleMs: milliseconds('MBD_SLEEP_TIME', 3),
    terminateIntervalMs: milliseconds('JOB_TERMINATE_INTERVAL', 10),
    warnTimeMs: milliseconds('STANDIN_WARN_TIME', 600),
    lookMs: milliseconds('STANDIN_PIM_INTERVAL', 15),
    minuteMs: milliseconds('STANDIN_MINUTE', 60),
  };
}

/** Lines NAME=value, the value's quotes removed; everything else is no setting. */
export function parseAssignments(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined) found.set(match[1], (match[2] ?? '').replace(/^"(.*)"$/, '$1'));
  }
  return found;
}

function numbersOf(params: ReadonlyMap<string, string>, name: string): number[] {
  return (params.get(name) ?? '').split(/\s+/).filter(Boolean).map(Number);
}

function parseHosts(text: string): StandinHost[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length === 4)
    .map(([name = '', address = '', port, slots]) => ({ name, address, port: Number(port), slots: Number(slots) }));
}
