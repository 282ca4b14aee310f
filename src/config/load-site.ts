import { JobError } from '../values/errors.ts';
import { showWord } from '../values/one-line.ts';
import { checkUntamperable } from '../system/check-untamperable.ts';
import { readRegularFile } from '../system/read-regular-file.ts';
import { parseSite } from './parse-site.ts';
import { refuseLinkedSources } from './refuse-linked-sources.ts';
import type { SiteConfig } from './site-schema.ts';

/** Where the policy is installed. */
export const defaultSitePath = '/etc/hpc-submit-dockerjob/site.yaml';

/** No policy is longer; a device or a wrong file shall not fill the memory. */
const mostBytes = 1024 * 1024;

/**
 * The site's policy. With `mustBeTrusted` (whoever runs as root) the file and every directory of its path must be
 * root's alone, else `CONFIG_UNTRUSTED`. Fails with `CONFIG_INVALID` when it is missing or wrong.
 */
export async function loadSite(path: string, options: { readonly mustBeTrusted: boolean }): Promise<SiteConfig> {
  // Checked first: what only root can change cannot be another file when it is opened.
  const trusted = options.mustBeTrusted ? await checkUntamperable(path, { expected: 'file' }) : path;
  const site = parseSite(await readSiteFile(trusted), path);
  refuseLinkedSources(site, path);
  return site;
}

/** The text of a policy file, read once; fails with `CONFIG_INVALID`. */
export async function readSiteFile(path: string): Promise<string> {
  return await readYamlFile(path, (reason, cause) => unreadable(path, reason, cause));
}

/** The text of a file of at most 1 MiB, read once; throws what `fail` makes of the reason why it cannot be read. */
export async function readYamlFile(path: string, fail: (reason: string, cause?: unknown) => JobError): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readRegularFile(path, { mostBytes }));
  } catch (cause) {
    throw fail(describeFailure(cause), cause);
  }
}

function describeFailure(cause: unknown): string {
  if (cause instanceof TypeError) return 'it is not UTF-8 text';
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return 'there is no such file';
  return cause instanceof Error ? cause.message : String(cause);
}

function unreadable(path: string, reason: string, cause?: unknown): JobError {
  return new JobError({
    code: 'CONFIG_INVALID',
    message: `The site policy ${showWord(path)} cannot be read: ${reason}.`,
    hint: 'An administrator installs it from etc/site.yaml of this package.',
    cause,
  });
}
