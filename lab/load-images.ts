/** Brings built images to the hosts of a running lab. */
import type { RunningHost } from './boot-hosts.ts';
import type { BuiltImage } from './build-images.ts';
import { runOnHost } from './enter-host.ts';
import { LabError } from './lab-error.ts';
import { linkImages } from './link-images.ts';
import type { Lab } from './running-lab.ts';

const loadTimeoutMs = 600_000;

/** Gives every host the images and proves that each has the same id everywhere; says how. */
export async function loadImages(lab: Lab, images: readonly BuiltImage[]): Promise<string> {
  const [first, ...others] = lab.nodes;
  if (first === undefined) return 'no host';
  const loaded = await loadMissing(first, images);
  const remarks = loaded.length > 0 ? [`${first.name} loaded`] : [];
  const ways = await Promise.all(others.map((host) => completeHost(lab, first, host, images)));
  remarks.push(...ways.filter((way) => way !== ''));
  return remarks.join(', ') || 'on all hosts';
}

/** Loading is seconds of one core per host; linking the first host's layers is not, but asks for an idle host. */
async function completeHost(
  lab: Lab,
  first: RunningHost,
  host: RunningHost,
  images: readonly BuiltImage[],
): Promise<string> {
  const missing = await findMissing(host, images);
  if (missing.length === 0) return '';
  const isLinked = await linkImages(lab, first, host);
  await loadMissing(host, images);
  return `${host.name} ${isLinked ? 'linked' : 'loaded'}`;
}

/** Loads the images that the host lacks; returns them. Fails when one has another id afterwards. */
async function loadMissing(host: RunningHost, images: readonly BuiltImage[]): Promise<readonly BuiltImage[]> {
  const missing = await findMissing(host, images);
  await Promise.all(
    missing.map(({ archive }) =>
      runOnHost(host, ['docker', 'load', '--quiet', '--input', archive], { timeoutMs: loadTimeoutMs }),
    ),
  );
  const [wrong] = await findMissing(host, missing);
  if (wrong !== undefined)
    throw new LabError(`${wrong.reference} on ${host.name} has not the id ${wrong.id} after loading.`);
  return missing;
}

async function findMissing(host: RunningHost, images: readonly BuiltImage[]): Promise<BuiltImage[]> {
  const format = '{{.Repository}}:{{.Tag}} {{.ID}}';
  const table = await runOnHost(host, ['docker', 'image', 'ls', '--no-trunc', '--format', format]);
  const present = table.split('\n');
  return images.filter(({ reference, id }) => !present.includes(`${reference} ${id}`));
}
