/** bqueues and bhosts, as far as people and programs look at them. */
import { askMaster } from './ask-master.ts';
import { CommandError } from './command-error.ts';
import type { JobRecord } from './job.ts';
import type { Settings } from './settings.ts';

/** The queues in a table; with `-l` what the descriptions of those that are named say of hooks. */
export async function bqueues(settings: Settings, argv: readonly string[] = []): Promise<number> {
  if (argv[0] === '-l') return describeQueues(settings, argv.slice(1));
  const { jobs } = (await askMaster(settings, { type: 'jobs' })) as unknown as { jobs: JobRecord[] };
  print(['QUEUE_NAME', 'PRIO', 'STATUS', 'MAX', 'JL/U', 'JL/P', 'JL/H', 'NJOBS', 'PEND', 'RUN', 'SUSP']);
  for (const { name } of settings.queues) {
    const slots = (pattern: RegExp): number =>
      jobs.filter((job) => job.queue === name && pattern.test(job.status)).reduce((sum, job) => sum + job.slots, 0);
    const [pending, running, suspended] = [slots(/^P/), slots(/^RUN$|^UNKWN$/), slots(/^[US]SUSP$/)];
    print([name, 30, 'Open:Active', '-', '-', '-', '-', pending + running + suspended, pending, running, suspended]);
  }
  return 0;
}

function describeQueues({ queues }: Settings, names: readonly string[]): number {
  const unknown = names.find((name) => !queues.some((queue) => queue.name === name));
  if (unknown !== undefined) throw new CommandError(`${unknown}: No such queue`);
  for (const queue of queues.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const hooks = [
      ['PRE_EXEC', queue.preExec],
      ['POST_EXEC', queue.postExec],
      ['JOB_STARTER', queue.jobStarter],
    ].filter(([, command]) => command !== undefined);
    const lines = ['', `QUEUE: ${queue.name}`, `  -- ${queue.description}`, ''];
    process.stdout.write(`${[...lines, ...hooks.map(([name, command]) => `${name}:  ${command}`)].join('\n')}\n`);
  }
  return 0;
}

/** The default queue, which is all that is asked for. */
export function bparams({ defaultQueue }: Settings): Promise<number> {
  process.stdout.write(`Default Queues:  ${defaultQueue}\n`);
  return Promise.resolve(0);
}

interface HostUse {
  readonly name: string;
  readonly slots: number;
  readonly used: number;
  readonly suspended: number;
}

export async function bhosts(settings: Settings): Promise<number> {
  const { hosts } = (await askMaster(settings, { type: 'hosts' })) as unknown as { hosts: HostUse[] };
  print(['HOST_NAME', 'STATUS', 'JL/U', 'MAX', 'NJOBS', 'RUN', 'SSUSP', 'USUSP', 'RSV']);
  for (const { name, slots, used, suspended } of hosts)
    print([name, used >= slots ? 'closed_Full' : 'ok', '-', slots, used, used, 0, suspended, 0]);
  return 0;
}

function print(columns: readonly (string | number)[]): void {
  const [first = '', second = '', ...rest] = columns.map(String);
  process.stdout.write(
    `${first.padEnd(16)} ${second.padEnd(12)} ${rest.map((text) => text.padEnd(11)).join(' ')}`.trimEnd() + '\n',
  );
}
