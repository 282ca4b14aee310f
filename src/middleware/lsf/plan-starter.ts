import { basename } from 'node:path';
import { defaultSitePath, loadSite } from '../../config/load-site.ts';
import { chooseImage } from '../../lsf/starter/choose-image.ts';
import { callsMiddleware, readJobCommand } from '../../lsf/starter/read-job-command.ts';
import { JobError } from '../../values/errors.ts';
import type { StarterOptions } from '../verbs/request-options.ts';
import type { RunOptions } from '../verbs/run-options.ts';
import { queueDefaultOf } from './run-esub.ts';

/** What becomes of a job's command: it runs in a container, or as it is on this host. */
export type StarterPlan =
  | {
      readonly kind: 'container';
      readonly options: RunOptions;
      readonly argv: readonly string[];
      /** For the user: what will most probably go wrong. */
      readonly note?: string;
    }
  | {
      readonly kind: 'host';
      readonly argv: readonly string[];
      /** Nothing names an image for it. */
      readonly isWithoutImage?: true;
    };

/** A batch script's own call of this program needs no container around it. */
const ownNames: readonly string[] = ['hpc-submit-dockerjob', 'hpc_submit_dockerjob'];

const ownCallNote =
  'The script runs in the image of its alias (bsub -a), and calls hpc-submit-dockerjob, which is not in there: leave out the alias, or the call.';

/** What the job starter of LSF makes of the words behind it. Fails as a run does. */
export async function planStarter(
  options: StarterOptions,
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
  sitePath = defaultSitePath,
): Promise<StarterPlan> {
  if (words.length === 0) {
    throw new JobError({
      code: 'USAGE',
      message: 'starter needs the command of a job.',
      hint: 'LSF calls it: JOB_STARTER in lsb.queues.',
    });
  }
  if (ownNames.includes(basename(words[0] ?? ''))) return { kind: 'host', argv: words };
  const site = await loadSite(sitePath, { mustBeTrusted: false });
  const wanted = chooseImage({ options, environment, queueDefault: queueDefaultOf(site) });
  if (wanted === undefined) return { kind: 'host', argv: words, isWithoutImage: true };
  // An image for the whole script was asked for by an alias only, not by lsb.queues or the queue's default.
  const hasAlias = (environment['HPCDJ_APPLICATION'] ?? '') + (environment['HPCDJ_IMAGE'] ?? '') !== '';
  const isOwnCall = callsMiddleware(words);
  if (!hasAlias && isOwnCall) return { kind: 'host', argv: words };
  const visible = site.mounts.allowed.filter(({ always, source, target }) => always && source === target);
  const { argv, assignments } = readJobCommand(words, (path) =>
    visible.some(({ target }) => path.startsWith(`${target}/`)),
  );
  const passed = site.lsf.passEnvironment.filter((name) => environment[name] !== undefined);
  return {
    kind: 'container',
    options: { ...wanted, env: [...passed, ...assignments], quiet: true, ownsInput: true },
    argv,
    ...(isOwnCall ? { note: ownCallNote } : {}),
  };
}
