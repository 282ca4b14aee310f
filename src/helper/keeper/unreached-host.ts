import { nodeHostname } from '../../contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { JobError } from '../../values/errors.ts';
import { oneLine } from '../../values/one-line.ts';
import type { JobState } from '../job/job-state.ts';

/** In the words of the kernel, of ssh and of the schedulers' launchers: no connection to a host came about. */
const words = [
  'no route to host',
  '(?:host|is) (?:unreachable|down)',
  'network is unreachable',
  'connection (?:refused|timed out|reset|failure|failed)',
  'communication (?:connection failure|time[d ]?out)',
  'not (?:responding|reachable)',
  'unable to (?:contact|connect)',
  "can(?:'t|not) (?:connect|contact|find connection)",
  'failed (?:in connecting|to connect|sending task)',
  'required nodes? not available',
  'socket timed out',
  'could not resolve|unable to resolve|unknown host',
].join('|');
const unreached = new RegExp(words, 'i');

/** Whoever says such a word has run on the host, and so its remote shell. */
const remoteWord = /^(?:sudo|hpc-dockerjob-helper|\/bin\/sh|sh|setsid): /;

/** The last line by which a launcher says that it does not reach a host; undefined where something has run there. */
function findUnreachedLine(detail: string): string | undefined {
  const lines = detail.split('\n').map((line) => line.trim());
  if (lines.some((line) => remoteWord.test(line))) return undefined;
  const found = lines.findLast((line) => unreached.test(line));
  return found === undefined ? undefined : oneLine(found, 300);
}

/**
 * The end of a job whose launcher has not reached a host on which nothing of the job has begun: those that the words name,
 * else those that have not begun. Undefined for other words, and where every host has begun.
 */
export function describeUnreached(plan: JobPlan, state: JobState | undefined, detail: string): JobError | undefined {
  const line = findUnreachedLine(detail);
  if (line === undefined) return undefined;
  const silent = plan.nodes.filter(({ index }) => state?.nodes.get(index) === undefined);
  const named = silent.filter(({ host }) => isNamed(host, detail));
  const [first, ...others] = named.length > 0 ? named : silent;
  return first === undefined ? undefined : unreachedError(plan, [first, ...others], line);
}

/** The same for a node whose task has ended, by any of these texts; undefined where they speak of other hosts alone. */
export function describeUnreachedNode(
  plan: JobPlan,
  node: PlannedNode,
  texts: readonly string[],
): JobError | undefined {
  const line = texts.map(findUnreachedLine).find((found) => found !== undefined);
  if (line === undefined) return undefined;
  const named = plan.nodes.filter(({ host }) => isNamed(host, line));
  return named.length === 0 || named.includes(node) ? unreachedError(plan, [node], line) : undefined;
}

function unreachedError(
  plan: JobPlan,
  [first, ...others]: readonly [PlannedNode, ...PlannedNode[]],
  line: string,
): JobError {
  const hosts = [first, ...others].map(({ host }) => host);
  const where =
    others.length === 0
      ? `${nodeHostname(plan.job, first.index)} on host ${first.host} (not started)`
      : `one or more of the hosts ${hosts.slice(0, 8).join(', ')}${hosts.length > 8 ? ', …' : ''} (not started)`;
  return new JobError({
    code: 'NODE_LOST',
    message: `${where}: the scheduler's launcher did not reach it: ${line.replace(/\.+$/, '')}.`,
    hint: 'Safe to submit again, on other hosts. If that does not help, ask the administrators to look at this host.',
  });
}

function isNamed(host: string, text: string): boolean {
  const short = host.split('.')[0] ?? host;
  return text.split(/[^A-Za-z0-9_.-]+/).some((word) => word === host || word.split('.')[0] === short);
}
