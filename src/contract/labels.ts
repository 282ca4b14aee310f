/**
 * Labels by which every container of ours is found again; `job` alone identifies the job. That it is ours, they
 * do not say: see `own-objects.ts`.
 */
export const labels = {
  job: 'hpcdj.job',
  node: 'hpcdj.node',
  /** What the container is for: always `rank` today, the node's own that runs ranks of the job. */
  role: 'hpcdj.role',
  uid: 'hpcdj.uid',
  token: 'hpcdj.token',
  schedulerJob: 'hpcdj.scheduler-job',
  cgroup: 'hpcdj.cgroup-parent',
  /** The hierarchies in which the scheduler itself has the job, so that nobody else removes them; names with blanks between. */
  schedulerCgroups: 'hpcdj.scheduler-cgroups',
  runUntil: 'hpcdj.run-until',
} as const;
