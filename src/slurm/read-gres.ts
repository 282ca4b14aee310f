import { expandHostList } from './host-list.ts';
import { showJob } from './show-job.ts';

/** Indexes of the devices of each kind (`gpu`) that a job has on one host, in the order of the host's gres.conf. */
export type AllottedGres = ReadonlyMap<string, readonly number[]>;

/** What Slurm has allotted to the job on this host, asked by this scontrol. Fails with `SCHEDULER_UNREACHABLE`. */
export async function readGres(scontrol: string, schedulerJobId: string, host: string): Promise<AllottedGres> {
  return parseGres((await showJob(scontrol, schedulerJobId)) ?? '', host);
}

/** `     Nodes=n[1-2] CPU_IDs=0-1 Mem=700 GRES=gpu:tesla:2(IDX:0-1),nic:1(IDX:0)` */
const linePattern = /^ *Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(.*)$/;
/** `gpu:tesla:2(IDX:0-1,4)`; kinds without device files have no indexes. */
const partPattern = /^([A-Za-z][\w-]{0,63})(?::[^(),]*)?\(IDX:([\d,-]{1,512})\)$/;
/** Of one host; no host has so many. */
const mostIndex = 1023;

/**
 * Out of what `scontrol show job --details` prints. A user can add lines of this form by the job's comment or name, but take none
 * away: so what counts is in every line that names the host. Nothing where none does.
 */
export function parseGres(stdout: string, host: string): AllottedGres {
  const lines = stdout
    .split('\n')
    .map((line) => linePattern.exec(line))
    .filter((match) => match !== null && namesHost(match[1] ?? '', host))
    .map((match) => readParts(match?.[2] ?? ''));
  const [first, ...others] = lines;
  if (first === undefined) return new Map();
  const kept = [...first].map(([name, indexes]): [string, number[]] => [
    name,
    [...indexes].filter((index) => others.every((other) => other.get(name)?.has(index) === true)).sort((a, b) => a - b),
  ]);
  return new Map(kept.filter(([, indexes]) => indexes.length > 0));
}

/** A part that is not understood gives nothing. */
function readParts(text: string): ReadonlyMap<string, ReadonlySet<number>> {
  const parts = new Map<string, Set<number>>();
  for (const part of text.trim().split(/,(?![^(]*\))/)) {
    const [, name, list] = partPattern.exec(part) ?? [];
    if (name === undefined || list === undefined) continue;
    const indexes = parts.get(name) ?? new Set<number>();
    for (const index of expand(list)) indexes.add(index);
    parts.set(name, indexes);
  }
  return parts;
}

/** `0-2,5`; empty when it is no such list. */
function expand(list: string): readonly number[] {
  const found: number[] = [];
  for (const range of list.split(',')) {
    const [, from, to = from] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(range) ?? [];
    if (from === undefined || to === undefined || Number(to) > mostIndex) return [];
    for (let index = Number(from); index <= Number(to); index++) found.push(index);
  }
  return found;
}

/** A list that is not understood may name the host: what it says counts, too, and takes away. */
function namesHost(list: string, host: string): boolean {
  try {
    return expandHostList(list).includes(host);
  } catch {
    return true;
  }
}
