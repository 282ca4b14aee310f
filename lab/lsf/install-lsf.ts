/** Puts the stand-in for LSF into the hosts of a lab. */
import { build } from 'esbuild';
import { chmod, copyFile, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { awaitCondition } from '../await-condition.ts';
import type { RunningHost } from '../boot-hosts.ts';
import { pathInHost, runOnHost } from '../enter-host.ts';
import { pathExists } from '../path-exists.ts';
import type { Lab } from '../running-lab.ts';
import { writeHostFile } from '../write-host-files.ts';
import { findInstallation } from './find-installation.ts';
import type { LsfInstallation } from './find-installation.ts';
import { renderInstallation, writtenDirectories } from './installation-files.ts';
import {
  binaryDir,
  commandNames,
  configDir,
  libraryDir,
  nodeFile,
  programFile,
  renderCommand,
  renderConfig,
  serverDir,
} from './lsf-files.ts';

const readyTimeoutMs = 20_000;
/** A restarted lim needs about half a minute, as recorded. */
const installedTimeoutMs = 180_000;
const entry = fileURLToPath(new URL('standin.ts', import.meta.url));
const resFile = fileURLToPath(new URL('res.pl', import.meta.url));

/** Writes programs, commands and configuration to every host; a queue configuration that is there already is kept. */
export async function installLsf(lab: Lab): Promise<string> {
  const { lsfDirectory } = lab.layout.shape;
  if (lsfDirectory !== undefined) return await installInstallation(lab, await findInstallation(lsfDirectory));
  await provideNode();
  const program = await bundle();
  const res = await readFile(resFile);
  for (const host of [lab.head, ...lab.nodes]) {
    await writeHostFile(host, programFile, program);
    await writeHostFile(host, `${libraryDir}/res.pl`, res);
    await mkdir(pathInHost(host, serverDir), { recursive: true, mode: 0o755 });
    await writeCommands(lab, host);
    await writeConfig(lab, host);
  }
  return lab.layout.shape.lsf === 'ibm' ? "with blaunch, like IBM's" : 'without blaunch, as recorded';
}

/** Makes every host one of the installed LSF's, by links to its programs and a configuration of the lab's own. */
async function installInstallation(lab: Lab, installation: LsfInstallation): Promise<string> {
  const { binDirectory, serverDirectory, libDirectory } = installation;
  const configuration = renderInstallation(lab.layout, installation);
  const cluster = `${configDir}/lsbatch/${lab.layout.shape.name}`;
  for (const host of [lab.head, ...lab.nodes]) {
    const inHost = (path: string): string => pathInHost(host, path);
    for (const path of [serverDir, cluster, ...writtenDirectories]) await mkdir(inHost(path), { recursive: true });
    await linkAll(binDirectory, inHost(binaryDir));
    await linkAll(serverDirectory, inHost(serverDir));
    if (libDirectory !== undefined) await linkAll(libDirectory, inHost(libraryDir));
    await writeFiles(host, configuration);
    await relink(configDir, inHost(`${cluster}/configdir`));
    // Where LSF looks without LSF_ENVDIR.
    await relink(`${configDir}/lsf.conf`, inHost('/etc/lsf.conf'));
  }
  return `${installation.directory}, with ${installation.hasBlaunch ? 'blaunch' : 'lsrun'}`;
}

async function linkAll(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) await relink(join(from, name), join(to, name));
}

async function relink(target: string, path: string): Promise<void> {
  const part = `${path}.part-${process.pid}`;
  await symlink(target, part);
  await rename(part, path);
}

/** Copies this very Node to where the hosts see it. */
async function provideNode(): Promise<void> {
  if (await pathExists(nodeFile)) return;
  await mkdir(dirname(nodeFile), { recursive: true });
  const part = `${nodeFile}.part-${process.pid}`;
  await copyFile(process.execPath, part);
  await chmod(part, 0o755);
  await rename(part, nodeFile);
}

async function bundle(): Promise<string> {
  const options = {
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'warning',
  } as const;
  const { outputFiles } = await build({ entryPoints: [entry], ...options });
  return outputFiles[0]?.text ?? '';
}

async function writeCommands(lab: Lab, host: RunningHost): Promise<void> {
  for (const name of commandNames)
    await writeHostFile(host, `${binaryDir}/${name}`, renderCommand(name), { mode: 0o755 });
  if (lab.layout.shape.lsf === 'ibm')
    await writeHostFile(host, `${binaryDir}/blaunch`, renderCommand('blaunch'), { mode: 0o755 });
  else await rm(pathInHost(host, `${binaryDir}/blaunch`), { force: true });
}

async function writeConfig(lab: Lab, host: RunningHost): Promise<void> {
  await writeFiles(host, renderConfig(lab.layout));
}

async function writeFiles(host: RunningHost, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = `${configDir}/${name}`;
    const isKept = name === 'lsb.queues' && (await pathExists(pathInHost(host, path)));
    if (!isKept) await writeHostFile(host, path, text);
  }
}

/** Has the daemons of an installed LSF read their files again; the stand-in does so by itself. */
export async function reconfigureLsf(lab: Lab): Promise<void> {
  if (lab.layout.shape.lsfDirectory === undefined) return;
  const command = `${binaryDir}/badmin`;
  if (await pathExists(pathInHost(lab.head, command))) await runOnHost(lab.head, [command, 'reconfig', '-f']);
}

/** Writes one file of the stand-in's on every host, as on a shared file system: `lsb.queues`, or an esub below `serverDir`. */
export async function writeLsfFile(lab: Lab, path: string, text: string, mode = 0o644): Promise<void> {
  for (const host of [lab.head, ...lab.nodes]) await writeHostFile(host, path, text, { mode });
}

/** Waits until the scheduler answers and has every node. */
export async function awaitLsf(lab: Lab): Promise<void> {
  const isInstalled = lab.layout.shape.lsfDirectory !== undefined;
  const hint = isInstalled
    ? `See ${writtenDirectories[0]} of the hosts, and ${lab.layout.stateDir}/hosts/head/log/sbatchd.log.`
    : `See ${lab.layout.stateDir}/hosts/head/log/lsf-standin.log.`;
  await awaitCondition(
    {
      what: isInstalled ? 'LSF' : 'The stand-in for LSF',
      timeoutMs: isInstalled ? installedTimeoutMs : readyTimeoutMs,
      intervalMs: 200,
      hint,
    },
    () =>
      runOnHost(lab.head, [`${binaryDir}/bhosts`], { timeoutMs: 15_000 }).then(
        (text) => lab.nodes.map(({ name }) => whyUnfit(name, text)).find((reason) => reason !== undefined),
        (error: unknown) => String(error).split('\n')[0],
      ),
  );
}

/** A host on which jobs run has no slot left, and is well all the same. */
function whyUnfit(name: string, text: string): string | undefined {
  const status = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([host]) => host?.split('.')[0] === name)?.[1];
  return status === 'ok' || status?.startsWith('closed') === true
    ? undefined
    : `${name} is ${status ?? 'unknown to it'}`;
}
