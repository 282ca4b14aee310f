/** Copies one host's images to another by hard links: half a second for an image of 700 MB, and its bytes are there once. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningHost } from './boot-hosts.ts';
import { runOnHost } from './enter-host.ts';
import { hostPaths } from './layout.ts';
import { run } from './run-command.ts';
import type { Lab } from './running-lab.ts';
import { awaitDocker, startMissingServices, stopService } from './start-services.ts';

/**
 * Replaces the images of an idle host by those of another; false, with nothing changed, when the host has containers
 * or images that the other lacks. Layers are never written once they are there, so hosts may share their files.
 */
export async function linkImages(lab: Lab, from: RunningHost, to: RunningHost): Promise<boolean> {
  if (
    (await list(to, ['ps', '--all', '--quiet'])).length > 0 ||
    (await list(from, ['ps', '--all', '--quiet'])).length > 0
  )
    return false;
  const offered = await list(from, ['image', 'ls', '--all', '--no-trunc', '--quiet']);
  const own = await list(to, ['image', 'ls', '--all', '--no-trunc', '--quiet']);
  if (own.some((id) => !offered.includes(id))) return false;
  await stopService(lab.hierarchies, lab.layout, to, 'dockerd');
  const source = hostPaths(lab.layout, from).docker;
  const target = hostPaths(lab.layout, to).docker;
  const fresh = join(target, 'linked');
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh);
  await run(['cp', '--archive', '--link', join(source, 'overlay2'), fresh], { cgroups: lab.controlCgroups });
  // The engine rewrites its records about images, so these are copied.
  await run(['cp', '--archive', join(source, 'image'), fresh], { cgroups: lab.controlCgroups });
  for (const part of ['overlay2', 'image']) {
    await rm(join(target, part), { recursive: true, force: true });
    await rename(join(fresh, part), join(target, part));
  }
  await rm(fresh, { recursive: true });
  await startMissingServices(lab.hierarchies, lab.layout, to);
  await awaitDocker(lab.layout, to, lab.hierarchies);
  return true;
}

async function list(host: RunningHost, argv: readonly string[]): Promise<string[]> {
  return (await runOnHost(host, ['docker', ...argv])).split('\n').filter(Boolean);
}
