/** Puts Grid Engine into the hosts of a lab: sge_qmaster on the head, sge_execd on every node. */
import { appendFile, readFile } from 'node:fs/promises';
import { awaitCondition } from '../await-condition.ts';
import type { RunningHost } from '../boot-hosts.ts';
import { pathInHost, runOnHost } from '../enter-host.ts';
import { pathExists } from '../path-exists.ts';
import type { Lab } from '../running-lab.ts';
import { startMissingServices } from '../start-services.ts';
import { writeHostFile } from '../write-host-files.ts';
import {
  adminUser,
  defaultsFile,
  hookDirectory,
  parallelEnvironment,
  peName,
  quickenAccounting,
  quickenScheduler,
  queueName,
  renderBootstrap,
  renderHostGroup,
  renderQueue,
  sgeRoot,
  spoolRoot,
} from './gridengine-files.ts';
import { listPackages, packageDir, provideGridEngine } from './provide-packages.ts';

const readyTimeoutMs = 60_000;
const common = `${sgeRoot}/default/common`;

/** Unpacks the packages in every host that lacks them, makes the cluster on the head and starts it there; repeat-safe. */
export async function installGridEngine(lab: Lab, mayDownload: boolean): Promise<string> {
  const remark = await provideGridEngine(mayDownload, lab.controlCgroups);
  await Promise.all([lab.head, ...lab.nodes].map((host) => installOnHost(lab, host)));
  if (!(await pathExists(pathInHost(lab.head, `${spoolRoot}/spooldb/sge`)))) await makeCluster(lab);
  await admitHosts(lab);
  return remark;
}

async function installOnHost(lab: Lab, host: RunningHost): Promise<void> {
  const { name, id } = adminUser;
  // The files of accounts are written anew at each `up`.
  const passwd = pathInHost(host, '/etc/passwd');
  if (!(await readFile(passwd, 'utf8')).includes(`\n${name}:`)) {
    await appendFile(passwd, `${name}:x:${id}:${id}:Grid Engine:${sgeRoot}:/bin/false\n`);
    await appendFile(pathInHost(host, '/etc/group'), `${name}:x:${id}:\n`);
    await appendFile(pathInHost(host, '/etc/shadow'), `${name}:*:19000:0:99999:7:::\n`);
  }
  if (await pathExists(pathInHost(host, `${common}/act_qmaster`))) return;
  // Not dpkg-deb --extract: it would put directories in the place of links such as /lib.
  const unpack = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --no-overwrite-dir -C /';
  for (const file of await listPackages())
    await runOnHost(host, ['bash', '-o', 'pipefail', '-c', unpack, 'unpack', `${packageDir}/${file}`]);
  await writeHostFile(host, '/etc/default/gridengine', defaultsFile);
  const bootstrap = await readFile(pathInHost(host, '/usr/share/gridengine/default-bootstrap'), 'utf8');
  await writeHostFile(host, `${common}/bootstrap`, renderBootstrap(bootstrap));
  const directories = ['execd', 'qmaster/job_scripts', 'spooldb'].map((directory) => `${spoolRoot}/${directory}`);
  await runOnHost(host, ['mkdir', '-p', ...directories, '/run/gridengine']);
  // The last, since it says that all is done.
  await writeHostFile(host, `${common}/act_qmaster`, `${lab.head.name}\n`);
  await runOnHost(host, ['chown', '-R', `${name}:`, sgeRoot, spoolRoot, '/run/gridengine']);
}

/** As the packages' own set-up does it, before sge_qmaster runs for the first time. */
async function makeCluster(lab: Lab): Promise<void> {
  const spooldb = `${spoolRoot}/spooldb`;
  await runOnHost(
    lab.head,
    ['/usr/share/gridengine/scripts/init_cluster', sgeRoot, 'default', spooldb, adminUser.name],
    { user: adminUser.name, env: { SGE_ROOT: sgeRoot, SGE_CELL: 'default' }, cwd: '/' },
  );
}

/** sge_execd ends at once when sge_qmaster does not know its host: so the head's daemons come first. */
async function admitHosts(lab: Lab): Promise<void> {
  await startMissingServices(lab.hierarchies, lab.layout, lab.head);
  await awaitCondition({ what: 'sge_qmaster', timeoutMs: readyTimeoutMs, intervalMs: 200, hint: logHint(lab) }, () =>
    qconf(lab, '-sss').then(() => undefined, firstLine),
  );
  const admitted = (await qconf(lab, '-sh')).split('\n');
  for (const { name } of lab.nodes) {
    if (admitted.includes(name)) continue;
    await qconf(lab, '-as', name);
    await qconf(lab, '-ah', name);
  }
}

/** Waits until Grid Engine would start a job on every node, and makes its queue as the lab is now. */
export async function awaitGridEngine(lab: Lab): Promise<void> {
  const hint = logHint(lab);
  await configure(lab);
  await awaitCondition({ what: 'Grid Engine', timeoutMs: readyTimeoutMs, intervalMs: 200, hint }, async () => {
    const shown = await runOnHost(lab.head, ['qstat', '-f', '-q', queueName], { timeoutMs: 15_000 }).catch(firstLine);
    // A state behind the architecture: u, unknown, while sge_execd has not reported; E, after a fault, and so on.
    const unfit = lab.nodes.filter(({ name }) => !new RegExp(`@${name} .*\\slx-\\w+\\s*$`, 'm').test(shown));
    return unfit.length === 0 ? undefined : `${unfit.map(({ name }) => name).join(', ')} not ready`;
  });
}

async function configure(lab: Lab): Promise<void> {
  const hasProduct = await pathExists(pathInHost(lab.head, `${hookDirectory}/control`));
  await putObject(lab, '-shgrp', '@allhosts', 'hgrp', renderHostGroup(lab.layout));
  await putObject(lab, '-sp', peName, 'p', parallelEnvironment);
  await putObject(lab, '-sq', queueName, 'q', renderQueue(hasProduct));
  await qconfFile(lab, '-Msconf', 'sched', quickenScheduler(await qconf(lab, '-ssconf')));
  await qconfFile(lab, '-Mconf', 'global', quickenAccounting(await qconf(lab, '-sconf')));
}

/** Adds an object that is not there, or makes it as it should be. */
async function putObject(lab: Lab, show: string, name: string, kind: string, text: string): Promise<void> {
  const isThere = await qconf(lab, show, name).then(
    () => true,
    () => false,
  );
  await qconfFile(lab, `-${isThere ? 'M' : 'A'}${kind}`, kind, text);
}

async function qconfFile(lab: Lab, option: string, name: string, text: string): Promise<void> {
  // -Mconf takes the file's name for the name of what it configures.
  const file = `/run/gridengine/conf/${name}`;
  await writeHostFile(lab.head, file, text);
  await qconf(lab, option, file);
}

async function qconf(lab: Lab, ...argv: readonly string[]): Promise<string> {
  return await runOnHost(lab.head, ['qconf', ...argv], { timeoutMs: 15_000 });
}

function logHint(lab: Lab): string {
  return `See ${lab.layout.stateDir}/hosts/*/log/sge_*.log.`;
}

function firstLine(error: unknown): string {
  return String(error).split('\n')[0] ?? '';
}
