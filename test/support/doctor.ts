/** doctor in a lab: asked, and hosts spoilt for it and mended again. */
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import type { Finding } from '../../src/contract/finding.ts';

export interface Diagnosis {
  readonly exitCode: number;
  readonly checks: readonly Finding[];
}

/** Runs `doctor --json` on a host, as root unless told. */
export async function askDoctor(
  lab: Lab,
  host: string,
  user = 'root',
  options: readonly string[] = [],
): Promise<Diagnosis> {
  const argv = ['hpc-submit-dockerjob', 'doctor', '--json', ...options];
  const { exitCode, stdout, stderr } = await execOnHost(lab, host, { user, argv });
  if (stderr !== '') throw new Error(`doctor said on standard error: ${stderr}`);
  return { exitCode, checks: (JSON.parse(stdout) as { checks: Finding[] }).checks };
}

/** Names of the checks that failed. */
export function failedChecks(checks: readonly Finding[]): readonly string[] {
  return checks.filter(({ verdict }) => verdict === 'fail').map(({ check }) => check);
}

/** Runs a shell command on a host as root, and another one when disposed of. */
export async function spoilHost(lab: Lab, host: string, spoil: string, mend: string): Promise<AsyncDisposable> {
  await mustRun(lab, host, ['sh', '-c', spoil]);
  return { [Symbol.asyncDispose]: async () => void (await mustRun(lab, host, ['sh', '-c', mend])) };
}
