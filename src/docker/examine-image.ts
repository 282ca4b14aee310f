import type Docker from 'dockerode';
import { containerPaths } from '../contract/container-paths.ts';
import type { ImageMountPlace, ImageQuestion } from '../ports/container-engine.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';
import { removeContainer } from './control-container.ts';
import { explainTakenName } from './find-own-objects.ts';
import { findDeviceFaults } from './find-device-files.ts';
import { findOwnContainer } from './find-own-container.ts';
import { findTargetFaults } from './find-target-faults.ts';
import { inBody } from './in-body.ts';
import { inspectContainer } from './inspect-container.ts';
import { ImageFault, openImageFiles } from './read-image-files.ts';
import type { ImageFiles } from './read-image-files.ts';

/** Where the engine itself mounts something, in every container. */
const enginesOwn: readonly ImageMountPlace[] = [
  ...['/proc', '/sys', '/dev'].map((target) => enginePlace(target, 'directory')),
  ...['/etc/hostname', '/etc/resolv.conf', '/etc/hosts', '/sbin/docker-init'].map((at) => enginePlace(at, 'file')),
];

function enginePlace(target: string, kind: ImageMountPlace['kind']): ImageMountPlace {
  return { target, kind, owner: 'engine', isFresh: false };
}

/** The engine reads a file of users by lines of less than this. */
const maxLineLength = 65_536;

/**
 * What in an image would make the engine, which is root, do something else than it is told: empty when nothing does.
 * Read from a container that is never started and has no mount: later would be too late, since code of the image can
 * run before anybody has looked at the started process. Undefined when the image is not present.
 */
export async function findImageFaults(
  client: EngineClient,
  question: ImageQuestion,
): Promise<readonly string[] | undefined> {
  const created = await callEngine<Docker.Container | 'taken' | undefined>(
    client,
    'look into the image',
    (abortSignal) => client.docker.createContainer(inBody(describeUnstarted(question), abortSignal)),
    { meaning: { 404: () => undefined, 409: () => 'taken' as const } },
  );
  if (created === undefined) return undefined;
  const id = created === 'taken' ? await findOwnContainer(client, question.name, question.labels) : created.id;
  if (id === undefined) throw await explainTakenName(client, question.name);
  const faults = await findFaultsIn(client, client.docker.getContainer(id), question).catch(async (error: unknown) => {
    if (error instanceof ImageFault) return [error.message];
    // Found by its label later, if it stays: what went wrong first is what is told.
    await removeContainer(client, id).catch(() => undefined);
    throw error;
  });
  await removeContainer(client, id);
  return faults;
}

function describeUnstarted({ name, imageId, labels, volumes }: ImageQuestion): Docker.ContainerCreateOptions {
  // Keeps the engine from making a volume, and is itself mounted in a container that runs only.
  const instead = volumes.map((target) => [target, ''] as const);
  return {
    name,
    Image: imageId,
    Labels: { ...labels },
    Entrypoint: ['/never-started'],
    Cmd: [],
    User: '65534:65534',
    WorkingDir: '/',
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: 'none',
      LogConfig: { Type: 'none', Config: {} },
      Tmpfs: Object.fromEntries(instead),
      Mounts: [{ Type: 'tmpfs', Source: '', Target: containerPaths.lookedAt }],
    },
  };
}

async function findFaultsIn(
  client: EngineClient,
  container: Docker.Container,
  { places }: ImageQuestion,
): Promise<readonly string[]> {
  const files = openImageFiles(client, container);
  const ours = places.filter(({ target }) => !enginesOwn.some((own) => own.target === target));
  const all = [...enginesOwn, ...ours];
  const [volumes, devices, users, groups, targets] = await Promise.all([
    findVolumes(client, container),
    findDeviceFaults(client, container),
    findUnreadable(files, '/etc/passwd'),
    findMisnamedGroups(files),
    findTargetFaults(files, all),
  ]);
  return [...volumes, ...devices, ...users, ...groups, ...targets];
}

/** The proof that the question names all volumes of the image: a volume has no limit, and no bounds but the disk's. */
async function findVolumes(client: EngineClient, container: Docker.Container): Promise<readonly string[]> {
  const mounts = (await inspectContainer(client, container))?.Mounts ?? [];
  return mounts
    .filter(({ Type }) => Type !== 'tmpfs')
    .map(({ Destination }) => `its volume ${JSON.stringify(Destination)} cannot be kept from being made`);
}

/** The engine reads it as root before it starts a container, whatever it is. */
async function findUnreadable(files: ImageFiles, path: string): Promise<readonly string[]> {
  const lines = (await files.readText(path))?.split('\n') ?? [];
  return lines.some(({ length }) => length >= maxLineLength) ? [`its ${path} has a line of an unusual length`] : [];
}

/** The engine looks up the numbers of a user's groups as names in this file first, and so would give other groups. */
async function findMisnamedGroups(files: ImageFiles): Promise<readonly string[]> {
  const unreadable = await findUnreadable(files, '/etc/group');
  return [...unreadable, ...listMisnamedGroups((await files.readText('/etc/group')) ?? '').slice(0, toldGroups)];
}

const toldGroups = 3;

/**
 * The lines of a file of groups by whose name the engine could take a number for another group, in words. Which characters
 * it leaves out at the ends of a line (U+0085, say) is for it to know: here all count for nothing that nobody sees.
 */
export function listMisnamedGroups(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replaceAll(/[^\u0021-\u007e]/g, '').split(':'))
    .filter(([name = '', , gid]) => /^\d+$/.test(name) && name !== gid)
    .map(([name, , gid]) => `its /etc/group calls gid ${JSON.stringify(gid ?? '')} by the number ${name}`);
}
