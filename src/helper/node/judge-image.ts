import { volumeTarget } from '../../policy/list-volumes.ts';
import { listRunnable } from '../../policy/runs-here.ts';
import type { ImageFacts } from '../../ports/container-engine.ts';

/** Each becomes a file system of its own; an image that is made for work declares a few. */
const maxVolumes = 32;

/** The engine needs some 0.3 ms for each, at every start. */
const maxExposedPorts = 4096;

/** The engine reads, copies and writes all of it for every container; lists of containers bring an image's labels. */
const maxConfigurationLength = 2 * 1024 * 1024;

/** The kernel takes no longer one (MAX_ARG_STRLEN), and all together must leave room for the command's own. */
const maxEntryBytes = 131_071;
const maxEnvironmentBytes = 1024 * 1024;

/**
 * What in an image's configuration no container can be made of, or none with bounds, in words; empty when nothing is.
 * Asked of it before the engine is: what that makes of such images is a failure of its own, or takes minutes.
 */
export function findConfigurationFaults(
  image: Omit<ImageFacts, 'id' | 'repoDigests'>,
  processor: NodeJS.Architecture = process.arch,
): readonly string[] {
  return [
    ...findPlatformFaults(image, processor),
    ...findExcess('ports to be exposed', image.exposedPorts, maxExposedPorts),
    ...findExcess('characters of configuration', image.configurationLength, maxConfigurationLength),
    ...findVolumeFaults(image.volumes),
    ...findEnvironmentFaults(image.environment),
  ];
}

function findPlatformFaults(
  { architecture, os }: Pick<ImageFacts, 'architecture' | 'os'>,
  processor: NodeJS.Architecture,
): string[] {
  const known = listRunnable(processor);
  const isForeign = architecture !== '' && known !== undefined && !known.includes(architecture);
  return [
    ...(os === 'linux' || os === '' ? [] : [`it is made for ${quote(os)}, not for Linux`]),
    ...(isForeign ? [`it is made for ${quote(architecture)} processors, this host has ${known[0]}`] : []),
  ];
}

function findExcess(what: string, number: number, most: number): string[] {
  return number > most ? [`it declares ${number} ${what}, ${most} are possible`] : [];
}

function findVolumeFaults(volumes: readonly string[]): string[] {
  if (volumes.length > maxVolumes) return findExcess('volumes', volumes.length, maxVolumes);
  const isPath = (volume: string): boolean =>
    volume.startsWith('/') &&
    volumeTarget(volume) !== '' &&
    volume.length < 4096 &&
    !/[\u0000-\u001f\u007f]/.test(volume);
  return volumes.filter((volume) => !isPath(volume)).map((volume) => `its volume ${quote(volume)} is no usable path`);
}

function findEnvironmentFaults(environment: readonly string[]): string[] {
  const total = environment.reduce((sum, entry) => sum + Buffer.byteLength(entry) + 1, 0);
  if (total > maxEnvironmentBytes) return [`its environment has ${total} bytes, ${maxEnvironmentBytes} are possible`];
  return environment.flatMap((entry) => {
    const name = quote(entry.slice(0, Math.max(0, entry.indexOf('='))) || entry);
    if (entry === '' || entry.startsWith('=')) return [`its environment has an entry without a name: ${quote(entry)}`];
    if (entry.includes('\0')) return [`its environment has a NUL byte in ${name}`];
    return Buffer.byteLength(entry) > maxEntryBytes ? [`its environment has too long a value of ${name}`] : [];
  });
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
