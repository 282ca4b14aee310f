/** Where on cgroup v2 a job's container is, what limits it there, and whether Slurm counts it. */
import * as z from 'zod';
import { parseJsonAs } from '../../src/values/parse-json-as.ts';
import { LabError } from '../lab-error.ts';
import type { Host } from './guest.ts';
import type { CgroupDriver } from './guest-files.ts';

const jobBytes = String(600 * 1024 ** 2);

const groupSchema = z.object({
  path: z.string(),
  memoryMax: z.string(),
  memoryCurrent: z.string(),
  pidsMax: z.string(),
  cpus: z.string(),
  cpuMax: z.string(),
});
export type Group = z.infer<typeof groupSchema>;

const placementSchema = z.object({ own: groupSchema, parent: groupSchema, steps: z.string() });
export type Placement = z.infer<typeof placementSchema>;

const ask = `
shift
pid=$(docker inspect --format '{{.State.Pid}}' "hpcdj-$1-node-0")
own=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
show() {
  read_() { cat "/sys/fs/cgroup$group/$1" 2>/dev/null || echo none; }
  group=$1
  printf '{"path":"%s","memoryMax":"%s","memoryCurrent":"%s","pidsMax":"%s","cpus":"%s","cpuMax":"%s"}' \\
    "$1" "$(read_ memory.max)" "$(read_ memory.current)" "$(read_ pids.max)" \\
    "$(read_ cpuset.cpus.effective)" "$(read_ cpu.max)"
}
steps=$(sstat --noheader --allsteps --parsable2 --format=JobID,MaxRSS --jobs "$1" | paste -sd' ')
printf '{"own":%s,"parent":%s,"steps":"%s"}\\n' "$(show "$own")" "$(show "$(dirname "$own")")" "$steps"`;

/** Fails unless the job's limits hold the container where it must be. Returns what was measured. */
export async function checkPlacement(host: Host, job: string, driver: CgroupDriver): Promise<string> {
  const placement = parseJsonAs(placementSchema, await host.run(ask, { args: ['-', job] }));
  const fault = judgePlacement(placement, job, driver);
  const shown = describePlacement(placement);
  if (fault !== undefined) throw new LabError(`${fault} ${shown}`);
  return shown;
}

/** What is wrong with it, or nothing. The job has 600 MiB and one of two processors. */
export function judgePlacement({ own, parent }: Placement, job: string, driver: CgroupDriver): string | undefined {
  const limiting = driver === 'cgroupfs' ? parent : own;
  const place =
    driver === 'cgroupfs' ? new RegExp(`slurmstepd\\.scope/job_${job}/[0-9a-f]{64}$`) : /^\/system\.slice\//;
  if (!place.test(own.path)) return `The container is in ${own.path}.`;
  if (limiting.memoryMax !== jobBytes) return `The memory limit is ${limiting.memoryMax}, not ${jobBytes}.`;
  if (!hasOneProcessor(limiting)) return 'The container is not held to one processor.';
  if (own.pidsMax === 'max' || own.pidsMax === 'none') return 'The container has no limit of processes.';
  return undefined;
}

function hasOneProcessor({ cpus, cpuMax }: Group): boolean {
  const [quota, period] = cpuMax.split(' ').map(Number);
  return /^\d+$/.test(cpus) || (quota !== undefined && period !== undefined && quota <= period);
}

function describePlacement({ own, parent, steps }: Placement): string {
  const show = ({ memoryMax, cpus, cpuMax }: Group): string =>
    `memory.max ${memoryMax}, cpus ${cpus}, cpu.max ${cpuMax}`;
  return [
    `container in ${own.path}: ${show(own)}, pids.max ${own.pidsMax}, memory.current ${own.memoryCurrent}`,
    `its parent: ${show(parent)}`,
    `sstat MaxRSS: ${steps || 'nothing'}`,
  ].join('; ');
}
