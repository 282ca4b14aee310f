import type { FoundImage } from '../../contract/finding.ts';
import { asClause } from '../../values/errors.ts';
import { formatBytes } from '../../values/format-bytes.ts';
import { helperArgv, helperPath } from '../call-helper.ts';
import { askHelper } from '../doctor/ask-helper.ts';

/** What is known of the image of a request on this host, or why nothing is. */
export type ImageHere = FoundImage | { readonly unknown: string };

/** Who asks waits at a prompt. */
const deadlineMs = 10_000;

/**
 * Asks the helper of this host for an image that the policy allows. Never fails: where explain is called there need be no
 * helper, and no Docker Engine.
 */
export async function findImageHere(wanted: {
  readonly application?: string | undefined;
  readonly image?: string | undefined;
}): Promise<ImageHere> {
  const call: readonly [string, ...string[]] =
    process.getuid?.() === 0 ? [helperPath(), 'check-host'] : helperArgv('check-host');
  try {
    const findings = await askHelper(call, { scope: 'image', ...wanted }, deadlineMs);
    const [finding] = findings.filter(({ check }) => check === 'image');
    return finding?.image ?? { unknown: asClause(finding?.message ?? 'the helper has not said') };
  } catch (thrown) {
    return { unknown: asClause(thrown) };
  }
}

/** One line for people. */
export function describeImageHere(here: ImageHere): string {
  if ('unknown' in here) return `Whether the image is on this host is not known: ${here.unknown}.`;
  const { isPresent, id, digest, bytes, platform, fetchedFrom } = here;
  if (!isPresent)
    return `The image is not on this host${fetchedFrom === undefined ? '' : `: the job fetches it from ${fetchedFrom}`}.`;
  const facts = [digest ?? id, bytes === undefined ? undefined : formatBytes(bytes), platform];
  return `The image is on this host: ${facts.filter((fact) => fact !== undefined).join(', ')}.`;
}
