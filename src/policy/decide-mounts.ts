import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';
import { showWord } from '../values/one-line.ts';
import type { Application } from './decide-image.ts';
import type { DecidingRule, RequestToDecide } from './request-to-decide.ts';
import { asksForQueue, describeAdmission, findBar } from './requester.ts';
import type { Bar, Requester } from './requester.ts';

export interface DecidedMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface MountWithRule extends DecidedMount {
  readonly rule: DecidingRule;
}

/**
 * What the containers of the request see of the hosts; fails with `MOUNT_NOT_ALLOWED`. A mount that every container gets
 * is left out for those whom it is not for: nobody has asked for it.
 */
export function decideMounts(
  site: SiteConfig,
  request: Pick<RequestToDecide, 'mounts'>,
  application: Application | undefined,
  requester: Requester,
): MountWithRule[] {
  const wanted = new Map<string, string>();
  for (const mount of site.mounts.allowed)
    if (mount.always && findBar(mount, requester) === undefined) wanted.set(mount.source, 'always');
  for (const source of application?.mounts ?? []) wanted.set(source, 'for the application');
  for (const source of request.mounts) wanted.set(source, 'as asked for');
  return [...wanted].map(([source, why]) => {
    const allowed = site.mounts.allowed.find((mount) => mount.source === source);
    const bar = allowed === undefined ? undefined : findBar(allowed, requester);
    if (allowed === undefined || bar !== undefined) throw mountNotAllowed(site, source, bar);
    const { target, readOnly } = allowed;
    const decision = `mounted at ${target}${readOnly ? ', read-only' : ''}, ${why}`;
    // The same for everybody who judges it, however it came to be wanted.
    const rule = `mounts.allowed "${source}"`;
    return { source, target, readOnly, rule: { subject: `mount ${source}`, decision, rule } };
  });
}

/** True when the answer rests on the partition or queue of the job. */
export function mountsAskForQueue(
  { mounts }: SiteConfig,
  request: Pick<RequestToDecide, 'mounts'>,
  application: Application | undefined,
): boolean {
  const wanted = [...request.mounts, ...(application?.mounts ?? [])];
  return mounts.allowed.some((mount) => asksForQueue(mount) && (mount.always || wanted.includes(mount.source)));
}

function mountNotAllowed({ mounts }: SiteConfig, source: string, bar: Bar | undefined): JobError {
  const allowed = mounts.allowed.map((mount) => `${mount.source}${describeAdmission(mount)}`);
  return new JobError({
    code: 'MOUNT_NOT_ALLOWED',
    message:
      bar === undefined
        ? `${showWord(source)} may not be mounted into a container at this site.`
        : `${showWord(source)} may not be mounted into the containers of this job: ${bar.words}.`,
    hint: `${hintAtTarget(source)}Allowed are: ${allowed.join(', ') || 'none'} (site.yaml mounts.allowed).`,
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
