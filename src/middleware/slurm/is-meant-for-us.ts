import { resolve } from 'node:path';
import type { SiteConfig } from '../../config/site-schema.ts';
import { namesApplication } from '../../contract/names-application.ts';
import { mentionsOwnCall } from '../../slurm/submit/find-own-call.ts';
import type { SlurmSubmission } from '../../slurm/submit/submission.ts';
import { readRegularFile } from '../../system/read-regular-file.ts';

/** A script calls us within its first MiB, or hardly. */
const mostBytes = 1024 ** 2;

/** True when the environment of a submission names an application of ours, and neither script nor command speaks against it. */
export async function isMeantForUs({
  site,
  submission: { kind, words, wrap },
  environment,
  cwd,
}: {
  readonly site: SiteConfig;
  readonly submission: SlurmSubmission;
  readonly environment: NodeJS.ProcessEnv;
  readonly cwd: string;
}): Promise<boolean> {
  if (!namesApplication(environment, (name) => Object.hasOwn(site.applications, name))) return false;
  const [file] = words;
  if (wrap !== undefined) return mentionsOwnCall(wrap);
  if (mentionsOwnCall(words.join(' '))) return true;
  // A script on standard input, or a shell.
  if (file === undefined) return true;
  const text = await readRegularFile(resolve(cwd, file), { mostBytes, longer: 'cut' }).catch(() => undefined);
  return text === undefined ? kind === 'sbatch' : mentionsOwnCall(text.toString('latin1'));
}
