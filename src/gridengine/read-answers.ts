import { childOf, childrenOf, parseXml, textOf } from './parse-xml.ts';
import type { XmlElement } from './parse-xml.ts';

/** Of what `qstat -xml -j ID` says what Grid Engine itself writes: no name, path or variable of a user. */
export interface JobDetails {
  readonly owner: string;
  /** Elements of an array, or 1, that have been sent to hosts; those that wait, for the first time or again, are not here. */
  readonly startedTasks: readonly string[];
  /** Requested limits of memory, by the name of the resource, in bytes. */
  readonly memoryRequests: ReadonlyMap<string, number>;
}

/** What a task holds on one host, out of a line of `qstat -xml -g t`. */
export interface TaskShare {
  readonly jobNumber: string;
  /** Undefined unless the job is an array. */
  readonly task: string | undefined;
  readonly owner: string;
  readonly state: string;
  readonly queue: string;
  readonly host: string;
}

/** The answer to `qstat -xml -j`; `unknown` when there is no such job, undefined when it cannot be read. */
export function readDetails(xml: string, jobNumber: string): JobDetails | 'unknown' | undefined {
  const root = parseXml(xml);
  if (root?.name === 'unknown_jobs') return textOf(root, 'ST_name') === jobNumber ? 'unknown' : undefined;
  if (root?.name !== 'detailed_job_info') return undefined;
  const job = childOf(childOf(root, 'djob_info'), 'element');
  const owner = textOf(job, 'JB_owner');
  if (textOf(job, 'JB_job_number') !== jobNumber || owner === undefined) return undefined;
  const tasks = childrenOf(childOf(job, 'JB_ja_tasks'), 'ulong_sublist').map((task) => ({
    number: textOf(task, 'JAT_task_number'),
    status: textOf(task, 'JAT_status'),
  }));
  if (tasks.some(({ number, status }) => number === undefined || status === undefined)) return undefined;
  return {
    owner,
    startedTasks: tasks.filter(({ status }) => status !== idle).map(({ number }) => number ?? ''),
    memoryRequests: readMemory(childrenOf(childOf(job, 'JB_hard_resource_list'), 'qstat_l_requests')),
  };
}

/** JAT_status of a task that was put back to the queue. */
const idle = '0';

/** Limits that Grid Engine sets for the processes of a job. */
const memoryLimits: readonly string[] = ['h_vmem', 'h_rss'];

function readMemory(requests: readonly XmlElement[]): ReadonlyMap<string, number> {
  return new Map(
    requests
      .map((request) => [textOf(request, 'CE_name') ?? '', Number(textOf(request, 'CE_doubleval'))] as const)
      .filter(([name, bytes]) => memoryLimits.includes(name) && Number.isSafeInteger(bytes) && bytes > 0),
  );
}

/**
 * Out of `qconf -sc`: the resources of which hosts and queues have so much and no more, and a job takes what it asks for
 * with each of its slots. Lines of another form say nothing, and so does a resource that a job takes once (`JOB`).
 */
export function readConsumables(text: string): ReadonlySet<string> {
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  // name shortcut type relop requestable consumable default urgency
  return new Set(rows.filter((row) => row.length === 8 && row[5] === 'YES').map(([name]) => name ?? ''));
}

/** The answer to `qstat -xml -g t`, a share for each slot; undefined when it cannot be read. */
export function readShares(xml: string): readonly TaskShare[] | undefined {
  const root = parseXml(xml);
  if (root?.name !== 'job_info') return undefined;
  const lists = [childOf(root, 'queue_info'), childOf(root, 'job_info')];
  const shares = lists.flatMap((list) => childrenOf(list, 'job_list')).map(readShare);
  return shares.every((share) => share !== undefined) ? shares : undefined;
}

function readShare(line: XmlElement): TaskShare | undefined {
  const [jobNumber, owner, state] = ['JB_job_number', 'JB_owner', 'state'].map((name) => textOf(line, name));
  const [, queue, host] = /^([^@]*)@([^@]+)$/.exec(textOf(line, 'queue_name') ?? '') ?? [];
  const tasks = childrenOf(line, 'tasks');
  const task = textOf(line, 'tasks');
  if (jobNumber === undefined || owner === undefined || state === undefined) return undefined;
  if (queue === undefined || host === undefined) return undefined;
  if (tasks.length > 0 && task === undefined) return undefined;
  return { jobNumber, owner, state, queue, host, task };
}
