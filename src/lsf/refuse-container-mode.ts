import { existsSync, readFileSync } from 'node:fs';
import { JobError } from '../values/errors.ts';

/** What is looked at to find out whether LSF itself has put the job into a container. */
export interface ContainerMarks {
  readonly environment: NodeJS.ProcessEnv;
  /** Text of /proc/self/cgroup. */
  readonly cgroupText: string;
  /** Whether a container engine has left its mark in the root directory. */
  readonly hasRootMark: boolean;
}

/** The marks of this very process. */
export function readContainerMarks(environment: NodeJS.ProcessEnv): ContainerMarks {
  return {
    environment,
    cgroupText: readCgroup(),
    hasRootMark: existsSync('/.dockerenv') || existsSync('/run/.containerenv'),
  };
}

/** Set for, or by, jobs under `CONTAINER=docker[…]`; a user may also have them around a job that runs on the host. */
const dockerVariable = /^(?:LSB_CONTAINER_|LSB_DOCKER_|LSF_DOCKER_)/;

/** A container below LSF's cgroup of the job: the kernel's word. */
const containerBelowJob =
  /^\d+:[^:]*:\/lsf\/[^/]+\/job\.[^/]+\/(?:\S*\/)?(?:docker-|libpod-)?[0-9a-f]{64}(?:\.scope)?(?:\/|$)/m;

/**
 * Fails with `HOST_UNFIT` in a job that LSF's own Docker mode has put into a container: neither the helper nor the hosts
 * can be reached from there, and both at once would be two containers, one in the other.
 */
export function refuseContainerMode({ environment, cgroupText, hasRootMark }: ContainerMarks): void {
  const hasVariable = Object.keys(environment).some((name) => dockerVariable.test(name));
  if (!containerBelowJob.test(cgroupText) && !(hasRootMark && hasVariable)) return;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: "LSF's own Docker mode has put this job into a container already (CONTAINER=docker[…]).",
    hint: 'Submit to a queue and an application profile without CONTAINER, or run the program without hpc-submit-dockerjob.',
  });
}

function readCgroup(): string {
  try {
    return readFileSync('/proc/self/cgroup', 'utf8');
  } catch {
    return '';
  }
}
