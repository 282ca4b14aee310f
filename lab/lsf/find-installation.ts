/** An LSF that a site has installed, for the lab to run instead of the stand-in. */
import { access, constants, readFile, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../lab-error.ts';
import { parseAssignments } from './settings.ts';

/** What the lab takes of it; its configuration is made for the lab's hosts. */
export interface LsfInstallation {
  readonly directory: string;
  /** lsf.conf as it is; what the lab decides itself is taken out. */
  readonly conf: string;
  /** lsf.shared as it is, host types and models among it; empty where there is none. */
  readonly shared: string;
  readonly binDirectory: string;
  readonly serverDirectory: string;
  readonly libDirectory: string | undefined;
  readonly hasBlaunch: boolean;
}

const commands = ['bsub', 'bjobs', 'bkill', 'bstop', 'bresume', 'bqueues', 'bhosts'] as const;
const daemons = ['lim', 'res', 'sbatchd', 'mbatchd'] as const;
/** Every host of the lab has these for itself, or another one in their place. */
const hidden = ['/tmp', '/run', '/var/run', '/root', '/home', '/scratch', '/usr/local/bin', '/etc', '/proc', '/dev'];

/**
 * Looks at the directory of an LSF: `conf/lsf.conf` with `<release>/<machine>/bin` and `etc` beside it as IBM's has it, or
 * all in one place, `etc/lsf.conf`, `bin` and `sbin`. Fails with all that is missing at once.
 */
export async function findInstallation(directory: string): Promise<LsfInstallation> {
  if (!directory.startsWith('/')) throw unusable(directory, ['it is not an absolute path']);
  const place = await realpath(directory).catch(() => undefined);
  if (place === undefined || !(await stat(place)).isDirectory())
    throw unusable(directory, ['there is no such directory']);
  const ceiling = hidden.find((each) => place === each || place.startsWith(`${each}/`));
  if (ceiling !== undefined)
    throw unusable(directory, [
      `the lab's hosts do not see ${ceiling} of this machine; copy it elsewhere, to /opt say`,
    ]);
  const confDirectory = await firstWith(
    ['conf', 'etc'].map((name) => join(place, name)),
    'lsf.conf',
  );
  if (confDirectory === undefined) throw unusable(directory, ['lsf.conf is neither in conf nor in etc']);
  const conf = await readFile(join(confDirectory, 'lsf.conf'), 'utf8');
  const named = parseAssignments(conf);
  const machines = await listMachines(place);
  const below = (name: string, key: string): string[] => [
    ...[named.get(key) ?? ''].filter((path) => path.startsWith(`${place}/`)),
    join(place, name),
    ...machines.map((machine) => join(machine, name)),
  ];
  const binDirectory = await firstWith(below('bin', 'LSF_BINDIR'), 'bsub');
  const serverDirectory = await firstWith(
    [...below('sbin', 'LSF_SERVERDIR'), ...below('etc', 'LSF_SERVERDIR')],
    'sbatchd',
  );
  const faults = [
    ...(await missing('commands', binDirectory, commands, 'LSF_BINDIR, bin, <release>/<machine>/bin')),
    ...(await missing('daemons', serverDirectory, daemons, 'LSF_SERVERDIR, sbin, etc, <release>/<machine>/etc')),
    ...(await changeable([place, binDirectory, binDirectory && join(binDirectory, 'bjobs')])),
  ];
  const has = async (name: string): Promise<boolean> =>
    binDirectory !== undefined && (await isExecutable(join(binDirectory, name)));
  const hasBlaunch = await has('blaunch');
  if (binDirectory !== undefined && !hasBlaunch && !(await has('lsrun')))
    faults.push('neither blaunch nor lsrun is there: nothing starts a job on several hosts');
  if (faults.length > 0 || binDirectory === undefined || serverDirectory === undefined)
    throw unusable(directory, faults);
  return {
    directory: place,
    conf,
    shared: await readFile(join(confDirectory, 'lsf.shared'), 'utf8').catch(() => ''),
    ...{ binDirectory, serverDirectory, hasBlaunch },
    libDirectory: await firstWith(below('lib', 'LSF_LIBDIR'), '.'),
  };
}

/** IBM: `10.1/linux3.10-glibc2.17-x86_64`. */
async function listMachines(place: string): Promise<readonly string[]> {
  const releases = (await readdir(place))
    .filter((name) => /^\d/.test(name))
    .toSorted()
    .toReversed();
  const found = await Promise.all(
    releases.map(async (release) =>
      (await readdir(join(place, release)).catch((): string[] => [])).map((name) => join(place, release, name)),
    ),
  );
  return found.flat();
}

async function firstWith(directories: readonly string[], file: string): Promise<string | undefined> {
  for (const directory of directories) {
    const isThere = await access(join(directory, file)).then(
      () => true,
      () => false,
    );
    if (isThere) return directory;
  }
  return undefined;
}

async function missing(
  kind: string,
  directory: string | undefined,
  names: readonly string[],
  looked: string,
): Promise<string[]> {
  if (directory === undefined) return [`its ${kind} were not found (${looked})`];
  const usable = await Promise.all(names.map(async (name) => await isExecutable(join(directory, name))));
  const lacking = names.filter((_, index) => usable[index] !== true);
  return lacking.length === 0 ? [] : [`${kind} are missing in ${directory}: ${lacking.join(', ')}`];
}

/** The product asks bjobs as root, and of no file that somebody else can change. */
async function changeable(paths: readonly (string | undefined)[]): Promise<string[]> {
  const faults: string[] = [];
  for (const path of paths) {
    const found = path === undefined ? undefined : await stat(path).catch(() => undefined);
    if (found !== undefined && (found.uid !== 0 || (found.mode & 0o022) !== 0))
      faults.push(`${path} is not root's alone, so the product would not ask bjobs`);
  }
  return faults;
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function unusable(directory: string, faults: readonly string[]): LabError {
  return new LabError(
    `${directory} cannot be used as an LSF: ${faults.join('; ')}.`,
    'It must be an installed LSF, with lsf.conf, commands and daemons; see docs/lab.md, "An LSF of your own".',
  );
}
