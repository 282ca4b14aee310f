/** The labs of one run of the end-to-end tests: the one that all files share, and those that single files bring up beside it. */
export interface E2eLabs {
  readonly shared: string;
  readonly second: string;
  readonly killed: string;
  readonly lsf: string;
  /** Of all files that run jobs of LSF. */
  readonly lsfJobs: string;
  readonly hooks: string;
  readonly gridEngine: string;
}

/**
 * Names the labs of this run after HPCDJ_E2E_LAB, by default `e2e`, so that two runs on one machine never meet. The labs
 * beside it get one more letter, in which a name itself must not end: no run's lab can have the name of another run's.
 */
export function nameE2eLabs(environment: NodeJS.ProcessEnv): E2eLabs {
  const shared = environment['HPCDJ_E2E_LAB'] ?? 'e2e';
  if (!/^[a-z][a-z0-9]{0,6}$/.test(shared) || /[u-z]$/.test(shared)) {
    throw new Error(
      `HPCDJ_E2E_LAB is "${shared}", which cannot name the labs of the end-to-end tests. ` +
        'Take up to 7 lower-case letters and digits, a letter first, and none of u to z last: other labs of the run end so.',
    );
  }
  return {
    shared,
    second: `${shared}x`,
    killed: `${shared}y`,
    lsf: `${shared}z`,
    lsfJobs: `${shared}w`,
    hooks: `${shared}v`,
    gridEngine: `${shared}u`,
  };
}
