/**
 * The schedulers that this project knows, each with the form of its own job ids: one line each. The table of both their
 * sides (`schedulers/known-schedulers.ts`) needs an entry more, which the compiler demands.
 */
const jobIds = {
  /** `12`, also for an element of an array: Slurm gives it a number of its own. */
  slurm: /^[1-9][0-9]{0,17}$/,
  /** `12`, or `12[3]` for an element of an array. */
  lsf: /^[1-9][0-9]{0,17}(?:\[[1-9][0-9]{0,8}\])?$/,
  /** `12`, or `12.3` for an element of an array. */
  gridengine: /^[1-9][0-9]{0,17}(?:\.[1-9][0-9]{0,8})?$/,
  /** `12`, or `12[3]` for an element of an array; never with the server's name behind it. */
  pbs: /^[1-9][0-9]{0,17}(?:\[(?:0|[1-9][0-9]{0,8})\])?$/,
} as const satisfies Record<string, RegExp>;

export type SchedulerName = keyof typeof jobIds;

/** In the order in which they are looked for. */
export const schedulerNames = Object.keys(jobIds) as [SchedulerName, ...SchedulerName[]];

/** True when the text is a job id of that scheduler's own form. */
export function isSchedulerJobId(scheduler: SchedulerName, text: string): boolean {
  return jobIds[scheduler].test(text);
}

/** True when any of the schedulers could have given this id. */
export function isAnySchedulerJobId(text: string): boolean {
  return schedulerNames.some((name) => isSchedulerJobId(name, text));
}
