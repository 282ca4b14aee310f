/** The helper as the sudo rule of this installation names it, with its full path: sudo looks it up nowhere. */
export function ownCommand(environment: NodeJS.ProcessEnv): string {
  const bySudo = /^(\S*\/hpc-dockerjob-helper)(?: |$)/.exec(environment['SUDO_COMMAND'] ?? '')?.[1];
  return bySudo ?? environment['HPCDJ_HELPER'] ?? 'hpc-dockerjob-helper';
}
