import type { ForwardedSignal } from '../contract/helper-events.ts';
import { killedForMemory } from '../contract/helper-events.ts';
import type { TaskEnd } from '../ports/scheduler.ts';
import { expandHostList } from './host-list.ts';

/** `srun: error: node2: task 1: Killed`, `srun: error: node[2-3]: tasks 1-2: Exited with exit code 69`. */
const ended =
  /^srun: error: ([A-Za-z0-9][A-Za-z0-9._,[\]-]{0,1000}): tasks? [0-9][0-9,-]{0,1000}: ([A-Z][A-Za-z0-9 ()-]{2,80})$/;
/** `srun: error: Task launch for StepId=12.0 failed on node node2: Communication connection failure`. */
const unstarted =
  /^srun: error: Task launch for \S{1,60} failed on node ([A-Za-z0-9][A-Za-z0-9._-]{0,252}): ([A-Z][A-Za-z0-9 ,()/'-]{2,200})$/;
/** `srun: error: Node failure on node2`. */
const hostFailed = /^srun: error: Node failure on ([A-Za-z0-9][A-Za-z0-9._,[\]-]{0,1000})$/;

const commandSignals = new Map<string, ForwardedSignal>([
  ['User defined signal 1', 'SIGUSR1'],
  ['User defined signal 2', 'SIGUSR2'],
]);

/** What srun says at once of tasks that have ended with an error, or could not be started, while it waits for the others. */
export function readTaskEnd(line: string): TaskEnd | undefined {
  const [, hosts, how] = ended.exec(line) ?? [];
  if (hosts !== undefined && how !== undefined) return toEnd(hosts, describe(how), commandSignals.get(how));
  const [, host, why] = unstarted.exec(line) ?? [];
  if (host !== undefined) return toEnd(host, `could not be started (${why})`);
  const [, lost] = hostFailed.exec(line) ?? [];
  return lost === undefined ? undefined : toEnd(lost, 'is lost (node failure)');
}

function describe(how: string): string {
  if (how === 'Out Of Memory') return killedForMemory;
  const [, status] = /^Exited with exit code (\d{1,3})$/.exec(how) ?? [];
  return status === undefined ? `was killed (${how})` : `ended with exit status ${status}`;
}

function toEnd(hostList: string, how: string, signal?: ForwardedSignal): TaskEnd | undefined {
  try {
    return { hosts: expandHostList(hostList), how, ...(signal === undefined ? {} : { signal }) };
  } catch {
    return undefined;
  }
}
