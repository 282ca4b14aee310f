import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';
import { showWord } from '../values/one-line.ts';
import type { Application } from './decide-image.ts';
import type { DecidingRule, RequestToDecide } from './request-to-decide.ts';
import type { Choice } from './decide-entries.ts';
import { decideEntries, entriesAskForQueue, listEntries } from './decide-entries.ts';
import type { Bar, Requester } from './requester.ts';

export interface DecidedMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface MountWithRule extends DecidedMount {
  readonly rule: DecidingRule;
}

type Wanted = Pick<RequestToDecide, 'mounts'>;
type AllowedMount = SiteConfig['mounts']['allowed'][number];

/** What the containers of the request see of the hosts; fails with `MOUNT_NOT_ALLOWED`. */
export function decideMounts(
  site: SiteConfig,
  request: Wanted,
  application: Application | undefined,
  requester: Requester,
): MountWithRule[] {
  const choice = choiceOf(site, request, application);
  const refuse = (source: string, bar: Bar | undefined): JobError => mountNotAllowed(choice, source, bar);
  return decideEntries(choice, requester, refuse).map(({ name: source, entry: { target, readOnly }, why }) => {
    const decision = `mounted at ${target}${readOnly ? ', read-only' : ''}, ${why}`;
    // The same for everybody who judges it, however it came to be wanted.
    const rule = `mounts.allowed "${source}"`;
    return { source, target, readOnly, rule: { subject: `mount ${source}`, decision, rule } };
  });
}

/** True when the answer rests on the partition or queue of the job. */
export function mountsAskForQueue(site: SiteConfig, request: Wanted, application: Application | undefined): boolean {
  return entriesAskForQueue(choiceOf(site, request, application));
}

function choiceOf({ mounts }: SiteConfig, request: Wanted, application: Application | undefined): Choice<AllowedMount> {
  const nameOf = ({ source }: AllowedMount): string => source;
  return { allowed: mounts.allowed, nameOf, ofApplication: application?.mounts ?? [], asked: request.mounts };
}

function mountNotAllowed(choice: Choice<AllowedMount>, source: string, bar: Bar | undefined): JobError {
  return new JobError({
    code: 'MOUNT_NOT_ALLOWED',
    message:
      bar === undefined
        ? `${showWord(source)} may not be mounted into a container at this site.`
        : `${showWord(source)} may not be mounted into the containers of this job: ${bar.words}.`,
    hint: `${hintAtTarget(source)}Allowed are: ${listEntries(choice)} (site.yaml mounts.allowed).`,
    rule: bar === undefined ? 'mounts.allowed' : `mounts.allowed "${source}".${bar.list}`,
  });
}

/** As other programs write mounts: here the site says where a directory is seen, and how. */
function hintAtTarget(source: string): string {
  const [directory = ''] = source.split(':');
  return directory === source || !directory.startsWith('/')
    ? ''
    : `A mount has one part, the directory on the host: --mount ${showWord(directory)}; the site says where containers see it. `;
}

/**
 * The workdir needs no mount of its own: it must lie below one that the site allows, and is entered inside the
 * container by the user. So root never follows a path that a user can change.
 */
export function decideWorkdir(workdir: string, mounts: readonly MountWithRule[]): DecidingRule {
  const mount = mounts.find(
    ({ target }) => workdir === target || workdir.startsWith(target.endsWith('/') ? target : `${target}/`),
  );
  if (mount === undefined) {
    throw new JobError({
      code: 'WORKDIR_UNUSABLE',
      message: `The working directory ${showWord(workdir)} is not in a directory that containers see.`,
      hint: `Put it below ${mounts.map(({ target }) => target).join(' or ') || 'a mount that site.yaml allows'}, or ask for its mount with --mount.`,
      rule: 'mounts.allowed',
    });
  }
  return {
    subject: `workdir ${workdir}`,
    decision: 'visible in the container',
    rule: `mounts.allowed "${mount.source}"`,
  };
}
