/** The text of the files below /etc that make a host a member of the lab. Pure: tests read them without a lab. */
import { allHosts, labUsers, sharedGroup } from './layout.ts';
import type { LabLayout } from './layout.ts';

const firstHumanId = 1000;
const lastHumanId = 59_999;

/** The machine's system accounts without its people, and the lab's users. */
export function renderPasswd(machinePasswd: string): string {
  const users = labUsers.map(({ name, uid }) => `${name}:x:${uid}:${uid}:${name} of the lab:/home/${name}:/bin/bash`);
  return joinLines([...systemEntries(machinePasswd), ...users]);
}

/** The machine's system groups, a group per lab user, and the group they share. */
export function renderGroup(machineGroup: string): string {
  const groups = labUsers.map(({ name, uid }) => `${name}:x:${uid}:`);
  const members = labUsers.map(({ name }) => name).join(',');
  return joinLines([...systemEntries(machineGroup), ...groups, `${sharedGroup.name}:x:${sharedGroup.gid}:${members}`]);
}

/** No account of a host has a password; none is expired either, or sudo would refuse it. */
export function renderShadow(passwd: string): string {
  return joinLines(namesIn(passwd).map((name) => `${name}:*:19000:0:99999:7:::`));
}

export function renderGshadow(group: string): string {
  return joinLines(namesIn(group).map((name) => `${name}:*::`));
}

export function renderHosts(layout: LabLayout): string {
  return joinLines(['127.0.0.1 localhost', ...allHosts(layout).map(({ name, address }) => `${address} ${name}`)]);
}

function systemEntries(text: string): string[] {
  return text.split('\n').filter((line) => {
    const id = Number(line.split(':')[2]);
    return line.includes(':') && Number.isInteger(id) && (id < firstHumanId || id > lastHumanId);
  });
}

function namesIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.split(':')[0] ?? [])
    .filter(Boolean);
}

function joinLines(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
