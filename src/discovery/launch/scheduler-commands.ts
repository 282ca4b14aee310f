import { basename } from 'node:path';

/** What users of schedulers call in batch scripts to start ranks, to submit, and to ask. */
const names: ReadonlySet<string> = new Set([
  ...['srun', 'sbatch', 'salloc', 'sattach', 'sbcast', 'scancel', 'scontrol', 'squeue', 'sinfo', 'sacct', 'sstat'],
  ...['bsub', 'bjobs', 'bkill', 'blaunch', 'bpeek', 'lsrun', 'lsgrun'],
  ...['qsub', 'qrsh', 'qlogin', 'qdel', 'qstat', 'qalter', 'pbsdsh', 'pbs_tmrsh'],
  ...['aprun', 'jsrun', 'ibrun', 'prun', 'poe'],
]);

/** What to do instead of calling a command of the scheduler, which no image has; undefined for any other program. */
export function hintAtScheduler(file: string): string | undefined {
  const name = basename(file.trim());
  if (!names.has(name)) return undefined;
  return `commands of the scheduler are not in containers: start the ranks with mpirun, and call ${name} in the batch script`;
}
