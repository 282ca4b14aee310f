import { unreadable } from '../confirmation/ask-scheduler.ts';
import type { JobShare } from '../ports/scheduler.ts';
import { expandHostList } from './host-list.ts';
import { scontrolSource, showJob } from './show-job.ts';

/**
 * What Slurm has given to the job on this host, asked by this scontrol; undefined when it does not say that the job has
 * anything there. Fails with `SCHEDULER_UNREACHABLE`.
 */
export async function readShare(scontrol: string, schedulerJobId: string, host: string): Promise<JobShare | undefined> {
  const shown = await showJob(scontrol, schedulerJobId);
  if (shown === undefined) return undefined;
  const share = parseShare(shown, host);
  if (share === undefined) throw unreadable(scontrolSource, shown.slice(0, 300));
  return share;
}

/** `     Nodes=n[1-2] CPU_IDs=0-1,4 Mem=700 GRES=`: memory of each of these hosts in MiB, 0 where Slurm does not manage it. */
const linePattern = /^ *Nodes=(\S+) CPU_IDs=([\d,-]+) Mem=(\d{1,15}) GRES=/;

const mebibyte = 1024 ** 2;

/**
 * The job's share of a host in what `scontrol show job --details` prints; undefined when there is none. The job's comment,
 * which may have several lines, is in it: a user can add lines of this form, but take none away. So the least of all lines
 * of the host counts.
 */
export function parseShare(stdout: string, host: string): JobShare | undefined {
  const shares = stdout
    .split('\n')
    .map((line) => readLine(line, host))
    .filter((share) => share !== undefined);
  if (shares.length === 0) return undefined;
  const memory = shares.map(({ memoryBytes }) => memoryBytes).filter((bytes) => bytes !== undefined);
  return {
    cpus: Math.min(...shares.map(({ cpus }) => cpus)),
    ...(memory.length === 0 ? {} : { memoryBytes: Math.min(...memory) }),
  };
}

function readLine(line: string, host: string): JobShare | undefined {
  const [, hosts = '', ids = '', mebibytes = ''] = linePattern.exec(line) ?? [];
  const cpus = countIds(ids);
  if (cpus === 0 || !hasHost(hosts, host)) return undefined;
  return { cpus, ...(Number(mebibytes) === 0 ? {} : { memoryBytes: Number(mebibytes) * mebibyte }) };
}

/** Numbers in a list like `0-1,4`; 0 when it is none. */
function countIds(ids: string): number {
  return (
    ids.split(',').reduce((sum, range) => {
      const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(range) ?? [];
      return first === undefined || last === undefined ? NaN : sum + Math.max(0, Number(last) - Number(first) + 1);
    }, 0) || 0
  );
}

function hasHost(list: string, host: string): boolean {
  try {
    return expandHostList(list).includes(host);
  } catch {
    return false;
  }
}
