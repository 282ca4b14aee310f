import { isOffered } from '../contract/offered-variables.ts';

/** Longer ones are nothing of the kind, and the request has a limit. */
const mostCharacters = 1024;
const mostVariables = 200;

/**
 * What of the batch script's environment is offered to the site to be passed on. A script that says nothing of threads, in
 * a job of Slurm with several processors for each task, has as many threads for each.
 */
export function offerVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const offered: Record<string, string> = {};
  const threads = environment['SLURM_CPUS_PER_TASK'] ?? '';
  if (/^[1-9]\d{0,4}$/.test(threads)) offered['OMP_NUM_THREADS'] = threads;
  const names = Object.keys(environment).filter((name) => /^[A-Z][A-Z0-9_]*$/.test(name) && isOffered(name));
  for (const name of names.slice(0, mostVariables)) {
    const value = environment[name];
    if (value !== undefined && value.length <= mostCharacters) offered[name] = value;
  }
  return offered;
}
