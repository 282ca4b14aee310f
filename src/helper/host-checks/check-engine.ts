import type { SiteConfig } from '../../config/site-schema.ts';
import type { ContainerEngine } from '../../ports/container-engine.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

/** The Docker Engine answers root, filters system calls, and can put containers below a job's cgroup where the site asks for it. */
export function checkEngine(engine: Pick<ContainerEngine, 'ping'>, site: SiteConfig): Check {
  return {
    name: 'engine',
    look: async () => {
      const { version, cgroupDriver, cgroupVersion, seccomp, remapsUsers } = await engine.ping();
      if (!seccomp) throw unfit('runs without seccomp', 'Remove "seccomp-profile": "unconfined" from daemon.json.');
      if (remapsUsers)
        throw unfit(
          'gives containers other uids than their users have (userns-remap), so no job can use its files',
          'Remove "userns-remap" from daemon.json: containers never leave the engine’s own user name space.',
        );
      if (site.scheduler.requireJobCgroup && cgroupDriver !== 'cgroupfs') {
        throw unfit(
          `has the cgroup driver ${cgroupDriver}, so containers cannot live below a job’s cgroup`,
          'Put "exec-opts": ["native.cgroupdriver=cgroupfs"] into daemon.json, or set scheduler.requireJobCgroup: false.',
        );
      }
      const said = `Docker Engine ${version} with cgroup v${cgroupVersion} (${cgroupDriver}) answers at ${site.docker.socket}`;
      if (cgroupDriver === 'cgroupfs') return fine(said);
      return warning(
        `${said}: containers have the job's limits themselves, but live outside of its cgroup: the scheduler neither counts, suspends nor kills what runs in them`,
        'Put "exec-opts": ["native.cgroupdriver=cgroupfs"] into daemon.json where the scheduler puts jobs into cgroups.',
      );
    },
  };
}

function unfit(fault: string, hint: string): JobError {
  return new JobError({ code: 'HOST_UNFIT', message: `The Docker Engine of this host ${fault}.`, hint });
}
