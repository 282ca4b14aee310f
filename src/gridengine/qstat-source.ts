import { askScheduler, firstWords, unreachable, unreadable } from '../confirmation/ask-scheduler.ts';
import type { AskedScheduler, SchedulerAnswer } from '../confirmation/ask-scheduler.ts';
import type { JobSource } from '../confirmation/confirm-job.ts';
import { findCommand } from '../confirmation/find-command.ts';
import { findUid } from '../confirmation/find-uid.ts';
import type { ConfirmedJob } from '../ports/scheduler.ts';
import { parseJobKey } from '../contract/job-key.ts';
import { hostNameSchema } from '../contract/job-request.ts';
import { readConsumables, readDetails, readShares } from './read-answers.ts';
import type { TaskShare } from './read-answers.ts';

export const gridEngine: AskedScheduler = {
  name: 'gridengine',
  label: 'Grid Engine',
  command: 'qstat',
  hint: 'Try again when sge_qmaster answers: qstat, qping. (Administrators: scheduler.commandPath and scheduler.gridengine in site.yaml.)',
};

export interface QstatOptions {
  /** Directories of Grid Engine's commands: site.yaml `scheduler.commandPath`. The caller has made sure that they are root's. */
  readonly commandPath: string;
  /** SGE_ROOT, SGE_CELL and SGE_QMASTER_PORT; empty or 0 where they are the installation's own defaults. */
  readonly root: string;
  readonly cell: string;
  readonly qmasterPort: number;
}

export interface JobFacts {
  /** As qstat shows it (`r`, `s`, `dr` …); empty for a job or element that no host has. */
  readonly state: string;
  readonly owner: string;
  /** In which its first task runs; undefined for a job that no host has. */
  readonly queue: string | undefined;
  /** The job's host for each slot, the extra slot of a script that is not a task of its own included. */
  readonly hosts: readonly string[];
  readonly memory: AskedMemory;
}

/** Limits of memory for each slot that the job was submitted with; the lowest counts. */
type AskedMemory = Pick<ConfirmedJob, 'memoryPerSlotBytes' | 'askedMemoryPerSlotBytes'>;

/** `12`, or `12.3` for element 3 of array 12. */
const idForm = /^(\d+)(?:\.(\d+))?$/;

/** t: on its way to its hosts, whose first is the one that asks; T, S: suspended with its queue. */
function isLive(state: string): boolean {
  return /^[RrthsST]+$/.test(state) && /[rtsST]/.test(state);
}

/** What sge_qmaster says of a job. */
export function qstatSource(options: QstatOptions): JobSource<JobFacts> {
  return {
    ...gridEngine,
    ask: async (schedulerJobId) => await askTwice(options, schedulerJobId),
    isLive,
    // d: qdel, or a limit.
    isEnding: (state) => state.includes('d') && isLive(state.replaceAll('d', '')),
    isOver: (state) => state === '',
    readOwner: async ({ owner }) => await findUid(owner),
    read: readConfirmedJob,
  };
}

const changed = Symbol('the job has changed between two answers');

/** A job may begin or be gone just between two answers; the second time they agree. */
async function askTwice(options: QstatOptions, schedulerJobId: string): Promise<JobFacts | undefined> {
  for (let times = 0; times < 2; times += 1) {
    const facts = await askQstat(options, schedulerJobId);
    if (facts !== changed) return facts;
  }
  throw unreachable(gridEngine, schedulerJobId, 'two answers of qstat do not agree');
}

/**
 * Two questions, because neither answer has all: `-j` tells of a job that there is none, and its limits; `-g t` the
 * hosts, and only of running jobs. Texts of users stand in both, as elements of their own: what they hold is escaped.
 */
async function askQstat(options: QstatOptions, schedulerJobId: string): Promise<JobFacts | undefined | typeof changed> {
  const [, jobNumber = '', task] = idForm.exec(schedulerJobId) ?? [];
  const details = readDetails(await ask(options, schedulerJobId, '-j', jobNumber), jobNumber);
  if (details === undefined) throw unreadable(gridEngine, `of qstat -xml -j ${jobNumber}`);
  if (details === 'unknown') return undefined;
  const { owner, startedTasks, memoryRequests } = details;
  const isStarted = task === undefined ? startedTasks.length > 0 : startedTasks.includes(task);
  if (!isStarted) return { state: '', owner, queue: undefined, hosts: [], memory: {} };
  // It stands behind -u, where "*" would mean everybody.
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?$/.test(owner)) throw unreadable(gridEngine, owner);
  const shares = readShares(await ask(options, schedulerJobId, '-g', 't', '-s', 'rs', '-u', owner));
  if (shares === undefined) throw unreadable(gridEngine, 'of qstat -xml -g t');
  const own = shares.filter((share) => share.jobNumber === jobNumber && share.task === task);
  const [first] = own;
  if (first === undefined || own.some((share) => share.owner !== owner || share.state !== first.state)) return changed;
  const memory = await judgeMemory(options, schedulerJobId, memoryRequests);
  return { state: first.state, owner, queue: queueOf(own), hosts: own.map(({ host }) => host), memory };
}

/** What a user asks for is theirs only where Grid Engine counts it: else everybody can ask for all there is. */
async function judgeMemory(
  options: QstatOptions,
  schedulerJobId: string,
  requests: ReadonlyMap<string, number>,
): Promise<AskedMemory> {
  if (requests.size === 0) return {};
  const bytes = Math.min(...requests.values());
  const consumables = await readConsumablesOf(options, schedulerJobId);
  const isCounted = [...requests.keys()].some((name) => consumables.has(name));
  return isCounted ? { memoryPerSlotBytes: bytes } : { askedMemoryPerSlotBytes: bytes };
}

/** None where qconf cannot be asked: then nothing is known to be counted. */
async function readConsumablesOf(options: QstatOptions, schedulerJobId: string): Promise<ReadonlySet<string>> {
  try {
    const { exitCode, stdout } = await askCommand('qconf', options, schedulerJobId, '-sc');
    return exitCode === 0 ? readConsumables(stdout) : new Set();
  } catch {
    return new Set();
  }
}

async function ask(options: QstatOptions, schedulerJobId: string, ...argv: readonly string[]): Promise<string> {
  const answer = await askCommand('qstat', options, schedulerJobId, '-xml', ...argv);
  if (answer.exitCode === 0) return answer.stdout;
  throw unreachable(gridEngine, schedulerJobId, firstWords(gridEngine, answer));
}

async function askCommand(
  command: 'qstat' | 'qconf',
  { commandPath, root, cell, qmasterPort }: QstatOptions,
  schedulerJobId: string,
  ...argv: readonly string[]
): Promise<SchedulerAnswer> {
  return await askScheduler(gridEngine, schedulerJobId, {
    file: findCommand(command, gridEngine.label, commandPath),
    argv,
    environment: {
      ...(root === '' ? {} : { SGE_ROOT: root }),
      ...(cell === '' ? {} : { SGE_CELL: cell }),
      ...(qmasterPort === 0 ? {} : { SGE_QMASTER_PORT: String(qmasterPort) }),
    },
  });
}

/** The one queue of all tasks: a job spread over several is in none that a rule could mean. */
function queueOf(shares: readonly TaskShare[]): string | undefined {
  const [queue, ...others] = new Set(shares.map((share) => share.queue));
  return others.length === 0 ? queue : undefined;
}

function readConfirmedJob(facts: JobFacts, schedulerJobId: string, uid: number): ConfirmedJob | undefined {
  const job = parseJobKey(schedulerJobId.replace('.', '_'));
  if (job === undefined || !facts.hosts.every((host) => hostNameSchema.safeParse(host).success)) return undefined;
  const slots = new Map<string, number>();
  for (const host of facts.hosts) slots.set(host, (slots.get(host) ?? 0) + 1);
  const { memory, queue } = facts;
  return {
    job,
    schedulerJobId,
    uid,
    ...(queue === undefined ? {} : { queue }),
    hosts: [...slots.keys()],
    slots,
    ...memory,
  };
}
