import { esub } from '../lsf/verbs/esub.ts';
import { hold } from '../lsf/verbs/hold.ts';
import { preExec } from '../lsf/verbs/pre-exec.ts';
import { prologue } from '../lsf/verbs/prologue.ts';
import { spread } from '../lsf/verbs/spread.ts';
import { starter } from '../lsf/verbs/starter.ts';
import { cliFilter } from '../slurm/verbs/cli-filter.ts';
import { checkConfig } from './check-config.ts';
import { completion } from './completion.ts';
import { doctor } from './doctor.ts';
import { explain } from './explain.ts';
import { inspect } from './inspect.ts';
import { jobs } from './jobs.ts';
import { pkiVerbs } from './pki.ts';
import { report } from './report.ts';
import { shell } from './shell.ts';
import { testPolicy } from './test-policy.ts';
import type { Verb } from './verb.ts';

/** Every verb, in the order in which the help shows them. */
export const knownVerbs: readonly Verb[] = [
  explain,
  jobs,
  inspect,
  report,
  shell,
  checkConfig,
  testPolicy,
  doctor,
  ...pkiVerbs,
  starter,
  esub,
  preExec,
  prologue,
  hold,
  spread,
  cliFilter,
  completion,
];

/** What the verbs with two words have in common, by their first. */
export const verbGroups: Readonly<Record<string, string>> = {
  config: 'work with site.yaml',
  policy: "test the site's policy",
  pki: 'make, renew and check the certificates of etcd and of the hosts',
};
