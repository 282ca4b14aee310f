/** Do a machine's cgroups offer what a lab needs? Pure: from the texts in which the kernel says it. */
import { LabError } from './lab-error.ts';

/** A hierarchy that is mounted; of v1 its controllers are among the options. */
interface MountedHierarchy {
  readonly type: 'cgroup' | 'cgroup2';
  readonly options: string;
}

/** Without them no job is held to its cores and its memory. */
const neededUnified = ['cpuset', 'cpu', 'memory', 'pids'] as const;
const neededV1 = ['cpuset', 'memory', 'devices', 'freezer', 'pids'] as const;
const whereToRead = ' (docs/lab.md, "What it needs")';

/**
 * What is missing, with its remedy, or nothing. A lab runs on cgroup v2 alone or on v1 with all that it needs there.
 * `offered` is the text of `cgroup.controllers` in the root of v2, `known` that of /proc/cgroups.
 */
export function findCgroupFault(
  hierarchies: readonly MountedHierarchy[],
  offered: string,
  known: string,
): LabError | undefined {
  if (hierarchies.length === 0)
    return new LabError(
      'No cgroups are mounted here.',
      `Mount them: mount -t cgroup2 cgroup2 /sys/fs/cgroup${whereToRead}.`,
    );
  const bound = new Set(hierarchies.flatMap(({ type, options }) => (type === 'cgroup' ? options.split(',') : [])));
  const isV1 = neededV1.some((name) => bound.has(name));
  const needed: readonly string[] = isV1 ? neededV1 : neededUnified;
  const has = isV1 ? bound : new Set(offered.trim().split(/\s+/));
  const missing = needed.filter((name) => !has.has(name));
  if (missing.length === 0 && (isV1 || bound.size === 0)) return undefined;
  if (missing.length === 0)
    return new LabError(
      'Here cgroup v2 has the controllers, but hierarchies of v1 are mounted beside it.',
      `Boot with cgroup v2 alone: systemd.unified_cgroup_hierarchy=1${whereToRead}.`,
    );
  const version = isV1 ? 'v1' : 'v2';
  return new LabError(
    `The lab needs ${missing.join(', ')} of cgroup ${version}, and this machine does not offer it there.`,
    `${findRemedy(missing, isV1, known)}${whereToRead}.`,
  );
}

function findRemedy(missing: readonly string[], isV1: boolean, known: string): string {
  const table = parseKnown(known);
  const off = missing.filter((name) => table.get(name)?.isEnabled === false);
  if (off.length > 0)
    return (
      `The kernel has ${off.join(', ')} switched off: take cgroup_disable=${off.join(',')} from its command line, ` +
      `or add ${off.map((name) => `cgroup_enable=${name}`).join(' ')}, and boot again`
    );
  if (isV1)
    return (
      'Some controllers are those of v1 and some are not: boot with cgroup v2 alone ' +
      '(systemd.unified_cgroup_hierarchy=1), or with all of v1 (=0, and no cgroup_no_v1)'
    );
  if (missing.some((name) => table.get(name)?.isBound === true))
    return 'A hierarchy of cgroup v1 has it: boot with systemd.unified_cgroup_hierarchy=1';
  return 'Either the kernel was built without it, or this is a container that was not given it: use another kernel, or the machine itself';
}

interface KnownController {
  readonly isEnabled: boolean;
  /** True while it belongs to a hierarchy of v1. */
  readonly isBound: boolean;
}

/** The rows of /proc/cgroups, `name hierarchy count enabled`. Hierarchy 0 is that of v2. */
function parseKnown(text: string): Map<string, KnownController> {
  const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    rows.map((row) => {
      const [name = '', hierarchy, , enabled] = row.split(/\s+/);
      return [name, { isEnabled: enabled !== '0', isBound: hierarchy !== '0' }];
    }),
  );
}
