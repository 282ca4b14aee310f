/** Grid Engine's configuration for a lab, as qconf takes it. Pure text. */
import { productRoot } from '../layout.ts';
import type { LabLayout } from '../layout.ts';

/** The account that Debian's packages would make; above the machine's system accounts, so that it meets none of them. */
export const adminUser = { name: 'sgeadmin', id: 1990 } as const;

export const queueName = 'all.q';
export const peName = 'mpi';
/** The packages' own places. */
export const sgeRoot = '/var/lib/gridengine';
export const spoolRoot = '/var/spool/gridengine';

/** Where the installed product has its hooks. */
export const hookDirectory = `${productRoot}/lib/node_modules/hpc-submit-dockerjob/share/gridengine`;

const slotsPerHost = 8;

/** Munge proves who submits and who asks: without it users could pose as each other. */
export function renderBootstrap(shipped: string): string {
  return shipped.replace(/^security_mode .*$/m, 'security_mode           munge');
}

/** Read by the wrapper of every command; SGE_ND keeps the daemons in the foreground. */
export const defaultsFile = 'SGE_ND=1\nexport SGE_ND\n';

export function renderHostGroup(layout: LabLayout): string {
  return `group_name @allhosts\nhostlist ${layout.nodes.map(({ name }) => name).join(' ')}\n`;
}

/** Tight integration: tasks on other hosts are the job's own; the script is none of them. */
export const parallelEnvironment = lines({
  pe_name: peName,
  slots: '999',
  user_lists: 'NONE',
  xuser_lists: 'NONE',
  start_proc_args: 'NONE',
  stop_proc_args: 'NONE',
  allocation_rule: '$round_robin',
  control_slaves: 'TRUE',
  job_is_first_task: 'FALSE',
  urgency_slots: 'min',
  // One record of a job, with the status of its script; else one more for each task.
  accounting_summary: 'TRUE',
  qsort_args: 'NONE',
});

/** The queue; without the product its hooks are Grid Engine's own. */
export function renderQueue(hasProduct: boolean): string {
  const method = (action: string): string =>
    hasProduct ? `${hookDirectory}/control ${action} $job_id $ja_task_id $job_pid` : 'NONE';
  const unlimited = ['rt', 'cpu', 'fsize', 'data', 'stack', 'core', 'rss', 'vmem'].flatMap((name) => [
    [`s_${name}`, 'INFINITY'],
    [`h_${name}`, 'INFINITY'],
  ]);
  const none = ['load_thresholds', 'suspend_thresholds', 'ckpt_list', 'prolog', 'starter_method', 'owner_list'];
  none.push('user_lists', 'xuser_lists', 'subordinate_list', 'complex_values', 'projects', 'xprojects', 'calendar');
  return lines({
    qname: queueName,
    hostlist: '@allhosts',
    seq_no: '0',
    nsuspend: '1',
    suspend_interval: '00:05:00',
    priority: '0',
    min_cpu_interval: '00:05:00',
    processors: 'UNDEFINED',
    qtype: 'BATCH INTERACTIVE',
    pe_list: peName,
    rerun: 'FALSE',
    slots: String(slotsPerHost),
    tmpdir: '/tmp',
    shell: '/bin/bash',
    shell_start_mode: 'unix_behavior',
    initial_state: 'default',
    notify: '00:00:05',
    epilog: hasProduct ? `${hookDirectory}/epilog` : 'NONE',
    suspend_method: method('suspend'),
    resume_method: method('resume'),
    terminate_method: method('terminate'),
    ...Object.fromEntries(none.map((name) => [name, 'NONE'])),
    ...(Object.fromEntries(unlimited) as Record<string, string>),
  });
}

/** Prompt for people and tests: Grid Engine's own pauses suit thousands of jobs. The load of one machine is every host's. */
export function quickenScheduler(shown: string): string {
  return shown
    .replace(/^(schedule_interval\s+).*$/m, '$10:0:1')
    .replace(/^(flush_(?:submit|finish)_sec\s+).*$/gm, '$11')
    .replace(/^(job_load_adjustments\s+).*$/m, '$1NONE');
}

/** The accounting file is written at once. */
export function quickenAccounting(shown: string): string {
  return shown.replace(/flush_time=[0-9:]+/, 'flush_time=00:00:01');
}

function lines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}
