/** Puts the stand-in for LSF into the hosts of a lab. */
import { build } from 'esbuild';
import { chmod, copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { awaitCondition } from '../await-condition.ts';
import type { RunningHost } from '../boot-hosts.ts';
import { pathInHost, runOnHost } from '../enter-host.ts';
import { pathExists } from '../path-exists.ts';
import type { Lab } from '../running-lab.ts';
import { writeHostFile } from '../write-host-files.ts';
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
const entry = fileURLToPath(new URL('standin.ts', import.meta.url));
const resFile = fileURLToPath(new URL('res.pl', import.meta.url));

/** Writes programs, commands and configuration to every host; a queue configuration that is there already is kept. */
export async function installLsf(lab: Lab): Promise<string> {
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
  for (const [name, text] of Object.entries(renderConfig(lab.layout))) {
    const path = `${configDir}/${name}`;
    const isKept = name === 'lsb.queues' && (await pathExists(pathInHost(host, path)));
    if (!isKept) await writeHostFile(host, path, text);
  }
}

/** Writes one file of the stand-in's on every host, as on a shared file system: `lsb.queues`, or an esub below `serverDir`. */
export async function writeLsfFile(lab: Lab, path: string, text: string, mode = 0o644): Promise<void> {
  for (const host of [lab.head, ...lab.nodes]) await writeHostFile(host, path, text, { mode });
}

/** Waits until the scheduler answers. */
export async function awaitLsf(lab: Lab): Promise<void> {
  const hint = `See ${lab.layout.stateDir}/hosts/head/log/lsf-standin.log.`;
  await awaitCondition({ what: 'The stand-in for LSF', timeoutMs: readyTimeoutMs, intervalMs: 200, hint }, () =>
    runOnHost(lab.head, [`${binaryDir}/bhosts`], { timeoutMs: 15_000 }).then(
      () => undefined,
      (error: unknown) => String(error).split('\n')[0],
    ),
  );
}
