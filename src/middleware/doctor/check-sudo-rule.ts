import { JobError } from '../../values/errors.ts';
import { runAsRoot } from '../../system/run-as-root.ts';
import type { Answer, Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** Every host has it, and nothing is done as it. */
const anyUser = 'nobody';

/** One call for each form of the rule. */
export const allowedCalls: readonly (readonly string[])[] = [
  ['open-job'],
  ['check-host'],
  ['run-node', '1', '0123456789abcdef'],
  ['release-node', '1'],
  ['release-job', '1_2'],
  ['control-job', '1', 'suspend'],
  ['enter-job', '1', '0'],
  ['show-jobs'],
  ['show-jobs', '1'],
];

const verbCount = new Set(allowedCalls.map(([verb]) => verb)).size;

/** Root's alone. (With the rule for a sudo before 1.9.10 `--force` reaches the helper, which refuses it to users.) */
export const forbiddenCalls: readonly (readonly string[])[] = [
  ['reap'],
  ['release-node', '--scheduler-job', '1'],
  ['--help'],
];

/** True when sudo would let the user run this; undefined as user: whoever asks. */
export type AskSudo = (user: string | undefined, argv: readonly string[]) => Promise<boolean>;

/** Every user may call the helper's verbs through sudo, and nothing else by our rule. */
export function checkSudoRule(helper: string, isRoot: boolean, ask: AskSudo = askSudo): Check {
  return {
    name: 'sudo-rule',
    look: async () => await examine(helper, isRoot ? anyUser : undefined, ask),
  };
}

async function examine(helper: string, user: string | undefined, ask: AskSudo): Promise<Answer> {
  const refused = await filterAsync(allowedCalls, async (argv) => !(await ask(user, [helper, ...argv])));
  if (refused.length > 0) {
    throw wrong(
      `does not let users call ${refused.map((argv) => argv.join(' ')).join(', ')}`,
      'Run hpc-dockerjob-setup again on this host; see that /etc/sudoers includes /etc/sudoers.d.',
    );
  }
  // What else whoever asks may do is the site's business; a user of no rights at all shows what everybody may.
  const extra = user === undefined ? [] : [...forbiddenCalls.map((argv) => [helper, ...argv]), ['/bin/sh']];
  const given = await filterAsync(extra, async (argv) => await ask(user, argv));
  if (given.length > 0) {
    throw wrong(
      `lets every user run as root: ${given.map((argv) => argv.join(' ')).join(', ')}`,
      'Look for a rule of ALL in /etc/sudoers and /etc/sudoers.d, then run hpc-dockerjob-setup again.',
    );
  }
  return fine(`users may call ${helper} with its ${verbCount} verbs${user === undefined ? '' : ', and no more'}`);
}

async function filterAsync<T>(items: readonly T[], keep: (item: T) => Promise<boolean>): Promise<readonly T[]> {
  const kept = await Promise.all(items.map(keep));
  return items.filter((_, index) => kept[index]);
}

async function askSudo(user: string | undefined, argv: readonly string[]): Promise<boolean> {
  const asked = ['-n', '-l', ...(user === undefined ? [] : ['-U', user]), '--', ...argv];
  const { exitCode } = await runAsRoot('/usr/bin/sudo', asked, { timeoutMs: 10_000, detached: false });
  return exitCode === 0;
}

function wrong(fault: string, hint: string): JobError {
  return new JobError({ code: 'NOT_PERMITTED', message: `The sudo rule of this host ${fault}.`, hint });
}
