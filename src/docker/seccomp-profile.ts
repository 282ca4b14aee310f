import profile from '../../share/seccomp/hpc-v1.json' with { type: 'json' };

/** Name of the profile, for people. A change of what it allows gets a new version, and so a new file. */
export const seccompProfileName = 'hpc-v1';

/**
 * Our own seccomp profile as an option of a container: an allow list, in the Docker Engine's format. It counts whatever
 * profile dockerd has by default, also where that is "unconfined". A change of what it allows gets a new file.
 */
export function describeSeccomp(): string {
  return `seccomp=${JSON.stringify(profile)}`;
}
