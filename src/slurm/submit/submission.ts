/** What `sbatch`, `srun` or `salloc` was called with, as far as a verdict rests on it: the words of Slurm's own options. */
export interface SlurmSubmission {
  readonly kind: 'sbatch' | 'srun' | 'salloc';
  /** The command, or a script and its arguments; empty for a script on standard input, and for a shell. */
  readonly words: readonly string[];
  /** `sbatch --wrap`. */
  readonly wrap?: string | undefined;
  /** `--export`, and `--export-file`, whose variables come on top. */
  readonly export?: string | undefined;
  readonly exportFile?: string | undefined;
  /** `--nodes`: `3`, `2-4`. */
  readonly nodes?: string | undefined;
  readonly tasks?: string | undefined;
  readonly partition?: string | undefined;
  /** Number of the component; not 0 in heterogeneous jobs alone. */
  readonly component?: number | undefined;
  /** True when other jobs, or a time, come first: what is not there yet may be there then. */
  readonly waits?: boolean | undefined;
}

/** Hosts that the job has at least; undefined where that is not said. */
export function leastHosts({ nodes }: Pick<SlurmSubmission, 'nodes'>): number | undefined {
  const [, count] = /^([1-9]\d{0,5})(?:-\d{0,6})?$/.exec(nodes ?? '') ?? [];
  return count === undefined ? undefined : Number(count);
}

/** The one partition to which the job goes; undefined for the default one, and where Slurm chooses among several. */
export function onlyPartition({ partition = '' }: Pick<SlurmSubmission, 'partition'>): string | undefined {
  return /^[^\s\p{Cc},]{1,256}$/u.test(partition) ? partition : undefined;
}
