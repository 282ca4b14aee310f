/** The text of the file that /bin/sh runs as the job, as recorded. Pure. */

const head = ['#! /bin/sh', '$LSB_TRAPSIGS', '$LSB_RCP1', '$LSB_RCP2', '$LSB_RCP3', '# LSBATCH: User input'];
const tail = ['ExitStat=$?', 'wait', '# LSBATCH: End user input', 'true', 'exit `expr $? "|" $ExitStat`'];

/** Expands to a trap whose action is a comment: the shell survives these signals, what it starts does not. */
export const trapSignals = 'trap # 15 10 12 2 1';

/**
 * The job file. It waits for background children, so a job does not end while one of them lives.
 * A queue's starter is put in front of the text: only the first simple command of several runs under it.
 */
export function renderJobFile(command: string, starter?: string): string {
  return `${[...head, putStarter(command, starter), ...tail].join('\n')}\n`;
}

function putStarter(command: string, starter: string | undefined): string {
  // Recorded: a job whose text names the starter anywhere goes without it.
  if (starter === undefined || command.includes(starter)) return command;
  return starter.includes('%USRCMD') ? starter.replaceAll('%USRCMD', () => command) : `${starter} ${command}`;
}
