/** The lab as a library: bring a whole cluster up on this machine and find it again. The command line is cli.ts. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { bootHost, connectHosts, findHostInit, toRunningHost } from './boot-hosts.ts';
import type { RunningHost } from './boot-hosts.ts';
import { ensureImage, findRecipe } from './build-images.ts';
import type { BuiltImage } from './build-images.ts';
import { isUnified, killProcesses, makeCgroups, readHierarchies } from './cgroup-tree.ts';
import type { CgroupHierarchy } from './cgroup-tree.ts';
import { checkMachine, ensurePackages } from './check-machine.ts';
import { labLock, underLock } from './hold-lock.ts';
import { awaitGridEngine, installGridEngine } from './gridengine/install-gridengine.ts';
import { installPackage, setUpProduct, writeSite } from './install-product.ts';
import { LabError } from './lab-error.ts';
import { allHosts, defaultLabName, layOut, lockFileOf, stateDirOf } from './layout.ts';
import type { LabLayout, LabShape, LsfKind } from './layout.ts';
import { loadImages } from './load-images.ts';
import { findInstallation } from './lsf/find-installation.ts';
import { awaitLsf, installLsf } from './lsf/install-lsf.ts';
import { ensureCertificates } from './make-certificates.ts';
import { step } from './report-progress.ts';
import type { Report } from './report-progress.ts';
import type { Lab } from './running-lab.ts';
import { awaitDocker, awaitEtcd, awaitSlurm, removeOldContainers, startMissingServices } from './start-services.ts';
import { dropMachineSudoRules, prepareSharedDirectories, writeHostFiles } from './write-host-files.ts';

const defaultShape = { hosts: 3, etcdMembers: 1 } as const;
const controlGroup = 'control';

export interface UpOptions {
  readonly name?: string | undefined;
  readonly hosts?: number | undefined;
  readonly etcdMembers?: 1 | 3 | undefined;
  /** Adds the stand-in for LSF, or makes the one that runs like this; a lab that has it keeps it. */
  readonly lsf?: LsfKind | undefined;
  /** An installed LSF to run instead of the stand-in; which kind it is shows in its commands. */
  readonly lsfDirectory?: string | undefined;
  /** Adds Grid Engine; a lab that has it keeps it. */
  readonly gridEngine?: boolean | undefined;
  /** Images to provide on every host, by the names of their recipes. */
  readonly images?: readonly string[];
  /** False leaves the product out. */
  readonly install?: boolean;
  /** True leaves the containers and networks on a host that comes back, as after a power failure: what they were is gone. */
  readonly keepContainers?: boolean;
  /** False forbids to install missing Debian packages. */
  readonly apt?: boolean;
  readonly report?: Report;
}

/** Brings a lab up, or repairs and completes one that is there already; returns when a job could start on every node. */
export async function bringUp(options: UpOptions = {}): Promise<Lab> {
  const report = options.report ?? (() => undefined);
  checkMachine();
  const name = options.name ?? defaultLabName;
  const hierarchies = await readHierarchies();
  return await underLock(labLock(name, lockFileOf(name)), () => bringUpLocked(name, hierarchies, options, report));
}

async function bringUpLocked(
  name: string,
  hierarchies: readonly CgroupHierarchy[],
  options: UpOptions,
  report: Report,
): Promise<Lab> {
  options.images?.forEach(findRecipe); // a name that is none is told before anything is started
  const layout = await settleShape(hierarchies, name, options);
  const controlCgroups = await takeControl(hierarchies, layout);
  await step(report, 'packages', () => ensurePackages(options.apt !== false, controlCgroups));
  await step(report, 'certificates', () => ensureCertificates(layout));
  const hosts = await step(
    report,
    `hosts ${allHosts(layout)
      .map((host) => host.name)
      .join(' ')}`,
    () => startHosts(hierarchies, layout),
  );
  const lab = toLab(hierarchies, layout, controlCgroups, hosts);
  if (layout.shape.lsf !== undefined)
    await step(report, layout.shape.lsfDirectory === undefined ? 'stand-in LSF' : 'LSF', () => installLsf(lab));
  if (layout.shape.gridEngine === true)
    await step(report, 'Grid Engine', () => installGridEngine(lab, options.apt !== false));
  await step(report, 'daemons', () => startDaemons(lab));
  await step(report, 'etcd', () => awaitEtcd(layout, lab.head));
  await step(report, 'docker', () => awaitDockers(lab, hosts, options.keepContainers === true));
  if (options.install !== false) await installPackageInLab(lab, report);
  // Which scheduler the product serves follows the lab's.
  else if (options.lsf !== undefined) await Promise.all(lab.nodes.map((host) => writeSite(layout, host)));
  await provideImagesInLab(lab, options.images ?? [], report);
  await step(report, 'slurm', () => awaitSlurm(layout, lab.head));
  if (layout.shape.lsf !== undefined) await step(report, 'lsf', () => awaitLsf(lab));
  if (layout.shape.gridEngine === true) await step(report, 'gridengine', () => awaitGridEngine(lab));
  return lab;
}

/** The shape to bring up: what was asked for, or what runs already; a running lab does not change its shape. */
async function settleShape(
  hierarchies: readonly CgroupHierarchy[],
  name: string,
  options: UpOptions,
): Promise<LabLayout> {
  const recorded = await readShape(name);
  const running = recorded !== undefined && (await runs(hierarchies, recorded)) ? recorded : undefined;
  const shape = {
    name,
    hosts: options.hosts ?? running?.hosts ?? defaultShape.hosts,
    etcdMembers: options.etcdMembers ?? running?.etcdMembers ?? defaultShape.etcdMembers,
    lsf: options.lsf ?? running?.lsf,
    ...(await settleLsf(options, running)),
    gridEngine: options.gridEngine ?? running?.gridEngine,
  };
  const layout = layOut(shape);
  if (running !== undefined && (running.hosts !== shape.hosts || running.etcdMembers !== shape.etcdMembers)) {
    const now = `${running.hosts} hosts and ${running.etcdMembers} etcd members`;
    throw new LabError(`Lab ${name} runs with ${now}.`, 'Run `lab down` first to change that.');
  }
  await mkdir(layout.stateDir, { recursive: true, mode: 0o700 });
  await writeFile(shapeFile(name), JSON.stringify(shape));
  return layout;
}

/** An installed LSF and the stand-in never take each other's place: both would hold the same ports and files. */
async function settleLsf(options: UpOptions, running: LabShape | undefined): Promise<Partial<LabShape>> {
  const wanted = options.lsfDirectory ?? running?.lsfDirectory;
  if (wanted === undefined) return {};
  const { directory, hasBlaunch } = await findInstallation(wanted);
  if (running?.lsf !== undefined && running.lsfDirectory !== directory) {
    const now = running.lsfDirectory ?? 'the stand-in for LSF';
    throw new LabError(`The lab runs with ${now}.`, 'Run `lab down` first to change that.');
  }
  return { lsf: hasBlaunch ? 'ibm' : 'plain', lsfDirectory: directory };
}

async function runs(hierarchies: readonly CgroupHierarchy[], shape: LabShape): Promise<boolean> {
  const layout = layOut(shape);
  return (await findHostInit(hierarchies, layout.cgroupName, layout.head.name)) !== undefined;
}

function shapeFile(name: string): string {
  return `${stateDirOf(name)}/lab.json`;
}

/** The recorded shape; the file is root's own, and a half-written one of a killed `up` counts as none. */
async function readShape(name: string): Promise<LabShape | undefined> {
  const text = await readFile(shapeFile(name), 'utf8').catch(() => '');
  try {
    return JSON.parse(text) as LabShape;
  } catch {
    return undefined;
  }
}

/**
 * The cgroups for this command's own children. Whoever holds the lab's lock is alone in them:
 * what is still there was left by a command that was killed, and must not go on working beside this one.
 */
async function takeControl(hierarchies: readonly CgroupHierarchy[], layout: LabLayout): Promise<string[]> {
  await killProcesses(hierarchies, `${layout.cgroupName}/${controlGroup}`);
  return await makeCgroups(hierarchies, layout.cgroupName, controlGroup);
}

type BootedHost = RunningHost & { readonly isNew: boolean };

async function startHosts(hierarchies: readonly CgroupHierarchy[], layout: LabLayout): Promise<BootedHost[]> {
  await prepareSharedDirectories(layout);
  const booted = await Promise.all(allHosts(layout).map((host) => bootHost(hierarchies, layout, host)));
  await connectHosts(hierarchies, layout, booted);
  for (const host of booted) {
    if (host.isNew) await dropMachineSudoRules(host);
    await writeHostFiles(layout, host, isUnified(hierarchies));
  }
  return booted;
}

function toLab(
  hierarchies: readonly CgroupHierarchy[],
  layout: LabLayout,
  controlCgroups: readonly string[],
  hosts: readonly RunningHost[],
): Lab {
  const [head, ...nodes] = hosts;
  if (head === undefined) throw new LabError(`Lab ${layout.shape.name} has no host.`);
  return { layout, hierarchies, head, nodes, controlCgroups };
}

async function startDaemons(lab: Lab): Promise<string> {
  const started = await Promise.all(
    [lab.head, ...lab.nodes].map(async (host) => {
      const names = await startMissingServices(lab.hierarchies, lab.layout, host);
      return names.length === 0 ? [] : [`${host.name} ${names.join('+')}`];
    }),
  );
  return started.flat().join(', ') || 'all running';
}

async function awaitDockers(lab: Lab, hosts: readonly BootedHost[], keepsContainers: boolean): Promise<void> {
  await Promise.all(
    lab.nodes.map(async (node) => {
      await awaitDocker(lab.layout, node, lab.hierarchies);
      const isNew = hosts.some((host) => host.name === node.name && host.isNew);
      if (isNew && !keepsContainers) await removeOldContainers(node);
    }),
  );
}

/** Installs this tree's package in a running lab and sets every node up. */
export async function installInLab(lab: Lab, report: Report = () => undefined): Promise<void> {
  await underLock(labLock(lab.layout.shape.name, lab.layout.lockFile), () => installPackageInLab(lab, report));
}

async function installPackageInLab(lab: Lab, report: Report): Promise<void> {
  await step(report, 'product', () => installPackage(lab.layout, lab.controlCgroups));
  await step(report, 'set-up of the nodes', async () => {
    // The first host alone: its set-up also completes the installation that all of them share.
    const [first, ...others] = lab.nodes;
    const remark = first === undefined ? '' : await setUpProduct(lab.layout, first);
    await Promise.all(others.map((host) => setUpProduct(lab.layout, host)));
    return remark;
  });
}

/** Builds images by the names of their recipes, where the cache lacks them, and loads them on every host. */
export async function provideImages(
  lab: Lab,
  names: readonly string[],
  report: Report = () => undefined,
): Promise<void> {
  await underLock(labLock(lab.layout.shape.name, lab.layout.lockFile), () => provideImagesInLab(lab, names, report));
}

async function provideImagesInLab(lab: Lab, names: readonly string[], report: Report): Promise<void> {
  const images: BuiltImage[] = [];
  for (const recipe of names.map(findRecipe)) {
    await step(report, `image ${recipe.reference}`, async () => {
      const built = await ensureImage(recipe, lab.controlCgroups);
      images.push(built);
      return built.isNew ? 'built' : 'cached';
    });
  }
  if (images.length > 0) await step(report, 'images on the hosts', () => loadImages(lab, images));
}

/** The running lab of that name; fails when a host of it does not run. */
export async function findLab(name: string = defaultLabName): Promise<Lab> {
  checkMachine();
  const hierarchies = await readHierarchies();
  const shape = await readShape(name);
  if (shape === undefined) throw new LabError(`There is no lab ${name}.`, 'Run `lab up`.');
  const layout = layOut(shape);
  const hosts = await Promise.all(
    allHosts(layout).map(async (host) => {
      const initPid = await findHostInit(hierarchies, layout.cgroupName, host.name);
      if (initPid === undefined) throw new LabError(`Host ${host.name} of lab ${name} does not run.`, 'Run `lab up`.');
      return await toRunningHost(hierarchies, layout, host, initPid);
    }),
  );
  const controlCgroups = await makeCgroups(hierarchies, layout.cgroupName, controlGroup);
  return toLab(hierarchies, layout, controlCgroups, hosts);
}
