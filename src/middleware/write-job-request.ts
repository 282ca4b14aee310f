import type { JobRequest, PlannedCommand } from '../contract/job-request.ts';
import { requestProtocol } from '../contract/job-request.ts';
import type { Allocation } from '../ports/scheduler.ts';
import type { UserRequest } from './read-request.ts';

/** A request whose command may come later. */
export type PlannedRequest = Omit<UserRequest, 'command'> & { readonly command: PlannedCommand };

/** What is sent to `open-job`: the request with the job for which it is made. */
export function writeJobRequest(allocation: Allocation, request: PlannedRequest, launchId: string): JobRequest {
  return {
    protocol: requestProtocol,
    launchId,
    scheduler: allocation.scheduler,
    schedulerJobId: allocation.schedulerJobId,
    job: allocation.job,
    hosts: allocation.hosts.map(({ name, slots }) => ({ name, slots })),
    ...(request.application === undefined ? {} : { application: request.application }),
    ...(request.image === undefined ? {} : { image: request.image }),
    command: request.command,
    workdir: request.workdir,
    environment: { ...request.environment },
    offered: { ...request.offered },
    umask: request.umask ?? 0o022,
    input: false,
    mounts: [...request.mounts],
    devices: [...(request.devices ?? [])],
    ...(request.shmBytes === undefined ? {} : { shmBytes: request.shmBytes }),
  };
}
