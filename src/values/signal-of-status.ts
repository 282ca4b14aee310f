import { constants } from 'node:os';

/** The signals of which a process ends, in the words of a shell. */
const endings: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGILL: 'illegal instruction',
  SIGTRAP: 'trace trap',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGKILL: 'killed',
  SIGUSR1: 'user defined signal 1',
  SIGSEGV: 'segmentation fault',
  SIGUSR2: 'user defined signal 2',
  SIGPIPE: 'broken pipe',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
  SIGXCPU: 'CPU time limit exceeded',
  SIGXFSZ: 'file size limit exceeded',
  SIGSYS: 'bad system call',
};

export interface SignalOfStatus {
  readonly name: string;
  readonly meaning: string;
}

/** The signal that an exit status of 128 + n stands for, as shells write it; undefined for any other status. */
export function signalOfStatus(exitStatus: number): SignalOfStatus | undefined {
  const found = Object.entries(constants.signals).find(
    ([name, number]) => number === exitStatus - 128 && Object.hasOwn(endings, name),
  );
  const [name = ''] = found ?? [];
  const meaning = endings[name];
  return meaning === undefined ? undefined : { name, meaning };
}
