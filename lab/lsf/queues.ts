/** lsb.queues: the sections of queues with the keywords that the stand-in acts on. */

/** What is done instead of the usual signal: another signal, or a command. */
export type JobControl =
  { readonly kind: 'signal'; readonly signal: NodeJS.Signals } | { readonly kind: 'command'; readonly text: string };

export interface Queue {
  readonly name: string;
  readonly description: string;
  readonly preExec?: string;
  readonly postExec?: string;
  /** Only the one that is like IBM's acts on these two. */
  readonly hostPreExec?: string;
  readonly hostPostExec?: string;
  readonly prePostAsRoot: boolean;
  readonly jobStarter?: string;
  readonly controls: Readonly<Partial<Record<'SUSPEND' | 'RESUME' | 'TERMINATE', JobControl>>>;
  readonly requeueValues: readonly number[];
  /** In minutes. */
  readonly runLimit?: number;
}

const sectionPattern = /^Begin Queue$([\s\S]*?)^End Queue$/gm;

/** The queues in the order of the file; lines with unknown keywords are ignored, as the recorded system does. */
export function parseQueues(text: string): Queue[] {
  return [...text.matchAll(sectionPattern)].map((section) => toQueue(readKeywords(section[1] ?? '')));
}

function readKeywords(section: string): Map<string, string> {
  const keywords = new Map<string, string>();
  // A backslash at a line's end continues it.
  for (const line of section.replaceAll('\\\n', ' ').split('\n')) {
    const match = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined) keywords.set(match[1].toUpperCase(), match[2] ?? '');
  }
  return keywords;
}

function toQueue(keywords: ReadonlyMap<string, string>): Queue {
  const optional = (key: keyof Queue, value: string | undefined): Partial<Queue> =>
    value === undefined || value === '' ? {} : { [key]: value };
  const runLimit = keywords.get('RUNLIMIT');
  return {
    name: keywords.get('QUEUE_NAME') ?? 'normal',
    description: keywords.get('DESCRIPTION') ?? '',
    ...optional('preExec', keywords.get('PRE_EXEC')),
    ...optional('postExec', keywords.get('POST_EXEC')),
    ...optional('hostPreExec', keywords.get('HOST_PRE_EXEC')),
    ...optional('hostPostExec', keywords.get('HOST_POST_EXEC')),
    ...optional('jobStarter', keywords.get('JOB_STARTER')),
    prePostAsRoot: keywords.get('PRE_POST_EXEC_USER') === 'root',
    controls: parseControls(keywords.get('JOB_CONTROLS') ?? ''),
    requeueValues: (keywords.get('REQUEUE_EXIT_VALUES') ?? '').split(/\s+/).filter(Boolean).map(Number),
    ...(runLimit === undefined ? {} : { runLimit: parseMinutes(runLimit) }),
  };
}

/** `SUSPEND[SIGUSR1] RESUME[command] …`: a name of a signal is a signal, all else a command. */
export function parseControls(text: string): Queue['controls'] {
  const controls: Partial<Record<'SUSPEND' | 'RESUME' | 'TERMINATE', JobControl>> = {};
  for (const [, action = '', body = ''] of text.matchAll(/(SUSPEND|RESUME|TERMINATE)\[([^\]]*)\]/g)) {
    const word = body.trim();
    controls[action as 'SUSPEND'] = /^SIG[A-Z0-9]+$/.test(word)
      ? { kind: 'signal', signal: word as NodeJS.Signals }
      : { kind: 'command', text: word };
  }
  return controls;
}

/** `[hours:]minutes[/host]` in minutes. */
export function parseMinutes(text: string): number {
  const [hours = 0, minutes] = (text.split('/')[0] ?? '').split(':').map(Number);
  return minutes === undefined ? hours : hours * 60 + minutes;
}
