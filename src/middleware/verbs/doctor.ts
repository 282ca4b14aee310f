import { hostname } from 'node:os';
import type { SchedulerName } from '../../contract/schedulers.ts';
import { schedulerNames } from '../../contract/schedulers.ts';
import { knownSchedulers } from '../../schedulers/known-schedulers.ts';
import { JobError } from '../../values/errors.ts';
import type { Verb } from './verb.ts';

type DoctorOptions = { readonly json?: boolean } & Partial<Record<SchedulerName, boolean>>;

export const doctor: Verb = {
  name: 'doctor',
  description: 'check whether this host is fit for jobs; changes nothing. Run it as root to check everything',
  define: (verb) => {
    verb.option('--json', 'write all findings as one JSON object');
    for (const name of schedulerNames)
      verb.option(`--${name}`, `look at the settings of ${name} only (default: of all that this host has)`);
  },
  run: async ({ called }) => {
    const options = called.opts<DoctorOptions>();
    const scheduler = findOnlyScheduler(options);
    const { runDoctor } = await import('../doctor/run-doctor.ts');
    const { statusOfFindings } = await import('../../contract/finding.ts');
    const { findingsJson, renderFindings } = await import('../doctor/show-findings.ts');
    const findings = await runDoctor(knownSchedulers, scheduler);
    process.stdout.write(options.json === true ? `${findingsJson(hostname(), findings)}\n` : renderFindings(findings));
    return statusOfFindings(findings);
  },
};

/** Fails with `USAGE` when more than one is named. */
function findOnlyScheduler(options: DoctorOptions): SchedulerName | undefined {
  const [scheduler, another] = schedulerNames.filter((name) => options[name] === true);
  if (another === undefined) return scheduler;
  throw new JobError({
    code: 'USAGE',
    message: `Both --${scheduler ?? ''} and --${another} were given.`,
    hint: 'Give one of them, or none to check all that this host has.',
  });
}
