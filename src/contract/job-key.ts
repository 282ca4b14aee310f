import { JobError } from '../values/errors.ts';

/**
 * A job's name in etcd, in container names and in labels: the scheduler's job id, with `_<index>` for an
 * element of an array (`772`, `772_3`).
 */
export type JobKey = string & { readonly brand: 'JobKey' };

const pattern = /^[1-9][0-9]{0,17}(?:_[0-9]{1,9})?$/;

/** The text as a job key, or undefined when it is none. */
export function parseJobKey(text: string): JobKey | undefined {
  return pattern.test(text) ? (text as JobKey) : undefined;
}

/** The text as a job key; refuses everything but `<digits>` and `<digits>_<digits>`. */
export function requireJobKey(text: string): JobKey {
  const key = parseJobKey(text);
  if (key === undefined) {
    throw new JobError({
      code: 'JOB_KEY_INVALID',
      message: `"${text.slice(0, 60)}" is not a job.`,
      hint: 'Give the job id as the scheduler shows it: 772, or 772_3 for an element of an array.',
    });
  }
  return key;
}

/** The node that runs the command, on the middleware's own host, as the keeper does; the others wait for its ranks. */
export const commandNode = 0;

/** Name of a node in etcd, as the slides write it: `772_node_0`. */
export function nodeKeyName(job: JobKey, index: number): string {
  return `${job}_node_${index}`;
}

/** Hostname of a node's container: Open MPI refuses underscores, so `772-3-node-0`. */
export function nodeHostname(job: JobKey, index: number): string {
  return `${job.replace('_', '-')}-node-${index}`;
}

/** Name of a node that holds inside its own job only: `node-0`. */
export function shortHostname(index: number): string {
  return `node-${index}`;
}

/** Name of a node's container on its host; unique there, so it is also the lock against a double start. */
export function containerName(job: JobKey, index: number): string {
  return `hpcdj-${nodeHostname(job, index)}`;
}
