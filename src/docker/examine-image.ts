import path from 'node:path';
import type Docker from 'dockerode';
import type { ImageQuestion } from '../ports/container-engine.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';
import { removeContainer } from './control-container.ts';
import { inspectContainer } from './inspect-container.ts';
import { openImageFiles } from './read-image-files.ts';
import type { ImageFiles } from './read-image-files.ts';

/** Where the engine itself mounts something, in every container. */
const enginesOwn = ['/proc', '/sys', '/dev', '/etc/hostname', '/etc/resolv.conf', '/etc/hosts', '/sbin/docker-init'];

/** As the kernel limits it. */
const maxLinks = 40;

/**
 * What in an image would make the engine, which is root, do something else than it is told: empty when nothing does.
 * Read from a container that is never started and has no mount: later would be too late, since code of the image can
 * run before anybody has looked at the started process. Undefined when the image is not present.
 */
export async function findImageFaults(
  client: EngineClient,
  question: ImageQuestion,
): Promise<readonly string[] | undefined> {
  const created = await callEngine<Docker.Container | undefined>(
    client,
    'look into the image',
    (abortSignal) =>
      client.docker.createContainer({
        name: question.name,
        Image: question.imageId,
        Labels: { ...question.labels },
        Entrypoint: ['/never-started'],
        Cmd: [],
        User: '65534:65534',
        WorkingDir: '/',
        Healthcheck: { Test: ['NONE'] },
        HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'none', Config: {} } },
        abortSignal,
      }),
    { meaning: { 404: () => undefined } },
  );
  if (created === undefined) return undefined;
  const faults = await findFaultsIn(client, created, question).catch(async (error: unknown) => {
    // Found by its label later, if it stays: what went wrong first is what is told.
    await removeContainer(client, created.id).catch(() => undefined);
    throw error;
  });
  await removeContainer(client, created.id);
  return faults;
}

async function findFaultsIn(
  client: EngineClient,
  container: Docker.Container,
  { mountTargets, foreignTargets }: ImageQuestion,
): Promise<readonly string[]> {
  const files = openImageFiles(client, container);
  const volumes = (await inspectContainer(client, container))?.Mounts.map(({ Destination }) => Destination) ?? [];
  const places = [...new Set([...enginesOwn, ...mountTargets, ...volumes])];
  const [groups, ...links] = await Promise.all([
    findMisnamedGroups(files),
    ...places.map((place) => findWayInto(files, place, foreignTargets)),
  ]);
  const faults = [...volumes.map((place) => findVolumeBelow(place, foreignTargets)), ...links];
  return [...groups, ...faults.filter((fault) => fault !== undefined)];
}

/** The engine looks up the numbers of a user's groups as names in this file first, and so would give other groups. */
async function findMisnamedGroups(files: ImageFiles): Promise<readonly string[]> {
  const text = await files.readText('/etc/group');
  if (text === undefined) return [];
  return text
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter(([name = '', , gid]) => /^\d+$/.test(name) && name !== gid)
    .slice(0, 3)
    .map(([name, , gid]) => `its /etc/group calls gid ${JSON.stringify(gid ?? '')} by the number ${name}`);
}

/** A mount below another is the site's own to choose; a volume is the image's: the engine would make its directory there. */
function findVolumeBelow(place: string, foreignTargets: readonly string[]): string | undefined {
  const around = foreignTargets.find((target) => path.normalize(place).startsWith(`${target}/`));
  return around === undefined ? undefined : `its volume ${place} lies in ${around}, which is mounted from outside`;
}

/**
 * What is mounted must not come to lie, by the image's links, in a directory that is mounted from outside: the engine
 * would make the missing parts of the path there, as root, and users could exchange them.
 */
async function findWayInto(
  files: ImageFiles,
  place: string,
  foreignTargets: readonly string[],
): Promise<string | undefined> {
  const isForeign = (path: string): boolean =>
    foreignTargets.some((target) => path === target || path.startsWith(`${target}/`));
  const parts = place.split('/').filter(Boolean);
  let resolved = '';
  let links = 0;
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part === '..') resolved = resolved.slice(0, Math.max(0, resolved.lastIndexOf('/')));
    if (part === '.' || part === '..') continue;
    resolved = `${resolved}/${part}`;
    if (isForeign(resolved) && links > 0) return `its ${place} leads into ${resolved}, which is mounted from outside`;
    // Below a mount, by the site's own choice: the image's content is hidden there.
    if (isForeign(resolved) && resolved !== place) return undefined;
    const target = await files.readLink(resolved);
    if (target === undefined) continue;
    if (++links > maxLinks) return `its ${place} leads through too many links`;
    resolved = target.startsWith('/') ? '' : resolved.slice(0, resolved.lastIndexOf('/'));
    parts.unshift(...target.split('/').filter(Boolean));
  }
  return undefined;
}
