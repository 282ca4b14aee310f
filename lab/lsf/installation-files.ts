/** The configuration of an installed LSF for the lab's hosts. Pure. */
import { basename } from 'node:path';
import type { LabLayout } from '../layout.ts';
import type { LsfInstallation } from './find-installation.ts';
import { binaryDir, configDir, libraryDir, renderParameters, renderQueues, serverDir, slotsOf } from './lsf-files.ts';

/** Directories of every host that the daemons write to. */
export const writtenDirectories = ['/var/log/lsf-lab', '/var/spool/lsf-lab'] as const;

/** What the lab decides, whatever lsf.conf of the installation says. */
function renderSettings(layout: LabLayout): readonly (readonly [string, string])[] {
  return [
    ['LSF_CONFDIR', configDir],
    ['LSB_CONFDIR', `${configDir}/lsbatch`],
    ['LSF_ENVDIR', configDir],
    ['LSF_BINDIR', binaryDir],
    ['LSF_SERVERDIR', serverDir],
    ['LSF_LIBDIR', libraryDir],
    ['LSF_LOGDIR', writtenDirectories[0]],
    ['LSB_SHAREDIR', writtenDirectories[1]],
    ['LSF_MASTER_LIST', `"${layout.head.name}"`],
    ['LSF_SERVER_HOSTS', `"${layout.head.name}"`],
    ['LSF_LIM_PORT', '6879'],
    ['LSF_RES_PORT', '6878'],
    ['LSB_MBD_PORT', '6881'],
    ['LSB_SBD_PORT', '6882'],
    ['LSB_SUB_COMMANDNAME', 'y'],
  ];
}

/** Files below the configuration's directory by their names; all lie in it, and `lsbatch/<cluster>/configdir` leads to it. */
export function renderInstallation(layout: LabLayout, installation: LsfInstallation): Readonly<Record<string, string>> {
  const cluster = layout.shape.name;
  const settings = renderSettings(layout);
  const decided = new Set(settings.map(([name]) => name));
  const kept = installation.conf
    .split('\n')
    .filter((line) => !decided.has(/^\s*([A-Za-z_]\w*)\s*=/.exec(line)?.[1] ?? '') && line.trim() !== '');
  return {
    'lsf.conf': toText([
      `# Of ${basename(installation.directory)}, changed for the lab.`,
      ...kept,
      ...settings.map(([name, value]) => `${name}=${value}`),
    ]),
    'lsf.shared': renderShared(cluster, installation.shared),
    [`lsf.cluster.${cluster}`]: toText([
      ...section('ClusterAdmins', ['Administrators = root']),
      ...section('Host', [
        'HOSTNAME model type server r1m mem swp RESOURCES',
        ...[layout.head, ...layout.nodes].map(({ name }) => `${name} ! ! 1 - - - ()`),
      ]),
    ]),
    'lsb.hosts': toText(
      section('Host', [
        'HOST_NAME MXJ r1m pg ls tmp DISPATCH_WINDOW',
        `${layout.head.name} 0 () () () () ()`,
        ...layout.nodes.map(({ name }) => `${name} ${slotsOf(layout)} () () () () ()`),
      ]),
    ),
    'lsb.params': renderParameters(['MBD_SLEEP_TIME=3', 'JOB_TERMINATE_INTERVAL=10']),
    'lsb.users': toText(section('User', ['USER_NAME MAX_JOBS JL/P', 'default - -'])),
    'lsb.queues': renderQueues(),
  };
}

/** Host types, models and resources stay as they are: a site may have more of them than anybody knows. */
function renderShared(cluster: string, shared: string): string {
  const rest = shared.replaceAll(/^[ \t]*Begin[ \t]+Cluster\b[\s\S]*?^[ \t]*End[ \t]+Cluster\b.*$/gim, '').trim();
  return `${toText(section('Cluster', ['ClusterName', cluster]))}\n${rest}\n`;
}

function section(name: string, lines: readonly string[]): string[] {
  return [`Begin ${name}`, ...lines, `End ${name}`];
}

function toText(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
