import type { JobCommand } from '../../contract/job-request.ts';
import { seccompProfileName } from '../../docker/seccomp-profile.ts';
import type { ContainerSpec } from '../../ports/container-engine.ts';
import { formatBytes } from '../../values/format-bytes.ts';
import type { Explanation } from './explain-request.ts';
import { describeImageHere } from './find-image-here.ts';
import type { ImageHere } from './find-image-here.ts';
import type { FinalContainer } from './describe-final-container.ts';

type Allowed = Extract<Explanation, { readonly verdict: 'allowed' }>;

/** The object of `explain --json`, on one line: the verdict, the rule and reason of it, and the container. */
export function explanationJson(explanation: Explanation, imageHere?: ImageHere): string {
  const { asker, verdict } = explanation;
  const { user, queue, hostCount } = asker;
  const about = {
    user: user === undefined ? null : { name: user.name, uid: user.uid, gid: user.gid, groups: user.groups },
    queue: queue ?? null,
    hosts: hostCount ?? null,
  };
  if (explanation.verdict === 'refused') {
    const { code, rule, message, hint, exitStatus } = explanation.error;
    return JSON.stringify({ verdict, exitStatus, code, rule: rule ?? null, reason: message, hint, ...about });
  }
  const { rules, command, workdir, environment, hostfile, umask, container, attention } = explanation;
  const [first] = rules;
  return JSON.stringify({
    ...{ verdict, exitStatus: 0, rule: first?.rule ?? null },
    reason: `${first?.subject ?? ''}: ${first?.decision ?? ''}`,
    ...about,
    rules,
    command: command.kind === 'shell' ? ['/bin/sh', '-c', command.text] : command.argv,
    ...{ workdir, environment, hostfile, umask: umask.toString(8).padStart(4, '0') },
    container: container.options,
    unknown: container.unknown,
    attention,
    image: imageHere ?? null,
  });
}

/** What `explain` prints for people: the verdict; of a request that is allowed also each rule, and the container. */
export function renderExplanation(explanation: Explanation, imageHere?: ImageHere): string {
  if (explanation.verdict === 'refused') {
    const { rule, code } = explanation.error;
    return `${describeAsker(explanation)}   [${rule === undefined ? code : `site.yaml ${rule}`}]\n`;
  }
  return renderAllowed(explanation, imageHere);
}

function renderAllowed(explanation: Allowed, imageHere: ImageHere | undefined): string {
  const { asker, rules, command, attention, container } = explanation;
  return [
    describeAsker(explanation),
    ...rules.map(({ subject, decision, rule }) => `${subject}: ${decision}   [site.yaml ${rule}]`),
    `command: ${showCommand(command)}   [${command.kind === 'shell' ? "by the image's /bin/sh" : 'directly, no shell'}]`,
    ...attention.map((text) => `attention: ${text}   [as seen on this host]`),
    `container of the first of ${asker.hostCount ?? 1}, as the Docker Engine will be asked for it:`,
    ...renderContainer(container).map((line) => `  ${line}`),
    ...container.unknown.map(({ part, meaning }) => `  not known yet: ${part}, ${meaning}`),
    imageHere === undefined
      ? 'Nothing was started. Whether the image is on the hosts shows when the job runs.'
      : `Nothing was started. ${describeImageHere(imageHere)}`,
    '',
  ].join('\n');
}

function describeAsker({ verdict, asker: { user, queue } }: Explanation): string {
  if (user === undefined) return verdict;
  const groups = user.groups.map(({ name }) => name).join(', ');
  const where = queue === undefined ? 'no partition or queue named' : `partition or queue ${queue}`;
  return `${verdict} for ${user.name} (uid ${user.uid}; groups ${groups}; ${where})`;
}

function showCommand(command: JobCommand): string {
  return command.kind === 'shell' ? command.text : command.argv.map(quoteWord).join(' ');
}

/** As one would have to write it for a shell: so one sees where a word ends. */
function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function renderContainer({ options, spec }: FinalContainer): readonly string[] {
  const host = options.HostConfig ?? {};
  const isPrivileged = host.Privileged === true ? 'PRIVILEGED' : 'not privileged';
  return [
    `name ${spec.name}, host name ${spec.hostname}, image ${spec.imageId}, user ${options.User ?? ''}, further groups ${spec.supplementaryGids.join(' ') || 'none'}`,
    `security: ${isPrivileged}, capabilities dropped: ${(host.CapDrop as string[] | undefined)?.join(' ') ?? 'none'}, no new privileges, seccomp ${seccompProfileName}, ${spec.devices?.length ? `devices of this host: ${spec.devices.join(' ')}` : 'no devices'}`,
    `name spaces of its own: ${describeNamespaces(options)}`,
    ...(host.Mounts ?? []).map(
      ({ Source, Target, ReadOnly, BindOptions }) =>
        `mount ${Source} at ${Target}, ${ReadOnly === true ? 'read-only' : 'writable'}, ${BindOptions?.Propagation ?? ''}`,
    ),
    ...spec.tmpfs.map(({ target, bytes, mode }) => `tmpfs at ${target}, ${formatBytes(bytes)}, mode ${mode}`),
    `image's file system: ${spec.readOnlyRoot ? 'read-only' : 'writable'}`,
    `limits: ${describeLimits(spec)}`,
    `network: ${host.NetworkMode ?? ''} (the helper joins it to the network of the job); name server ${(host.Dns ?? []).join(' ')}`,
    `cgroup below ${spec.cgroupParent ?? 'the engine’s own'}`,
    `starts: ${spec.argv.join(' ')}   [our agent; it runs the command]`,
  ];
}

/** Each with what the engine is told: only these words, or none, keep it from the host's. */
function describeNamespaces({ HostConfig: host = {} }: FinalContainer['options']): string {
  const told = {
    PID: host.PidMode,
    IPC: host.IpcMode,
    UTS: host.UTSMode,
    cgroup: 'CgroupnsMode' in host ? String(host.CgroupnsMode) : undefined,
    network: host.NetworkMode,
  };
  return Object.entries(told)
    .map(([name, mode]) => (mode === 'host' ? `${name} OF THE HOST` : name))
    .join(', ');
}

function describeLimits({ shmBytes, pidsMax, ulimits }: ContainerSpec): string {
  const { memlock, stack, nofile, core } = ulimits;
  const bytes = (limit: number): string => (limit < 0 ? 'unlimited' : formatBytes(limit));
  return `/dev/shm ${formatBytes(shmBytes)}, ${pidsMax} processes, ${nofile} open files, locked memory ${bytes(memlock)}, stack ${bytes(stack)}, core 0 up to ${bytes(core)}`;
}
