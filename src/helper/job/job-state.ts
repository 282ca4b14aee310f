import type { Reading, StoreEntry } from '../../ports/store.ts';
import { publicKeySchema } from '../../contract/agent-protocol.ts';
import { exitStatusOf, isErrorCode, JobError } from '../../values/errors.ts';
import type { ForwardedSignal, JobEnd, NodePhase, WantedState } from '../../contract/helper-events.ts';
import { nodePhaseSchema, wantedStateSchema } from '../../contract/helper-events.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { parsePlan } from '../../contract/plan-text.ts';
import type { LateCommand } from '../../contract/job-request.ts';
import { lateCommandSchema } from '../../contract/job-request.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** What one node has published so far. */
export interface NodeState {
  readonly index: number;
  readonly ip: string | undefined;
  readonly sshPublicKey: string | undefined;
  readonly hostPublicKey: string | undefined;
  readonly isReady: boolean;
  readonly phase: NodePhase;
  /** How much of the image has come to its host; undefined for one that fetches none. */
  readonly fetched: { readonly bytes: number; readonly total: number } | undefined;
  /** It was claimed, but its helper lives no more: PHASE hangs on that one's lease. */
  readonly isLost: boolean;
  /** What its container has used, as JSON; read at the job's end alone. */
  readonly usage: string | undefined;
  /** `CODE: text` of what went wrong there. */
  readonly error: string | undefined;
}

/** A job as its keys say at one revision. */
export interface JobState {
  /** `absent`: the lease ended or nothing was ever opened; for a node both mean "end now". */
  readonly finish: 'absent' | 'running' | 'finished';
  /** Set when `finish` is `finished`. */
  readonly end: JobEnd | undefined;
  readonly plan: JobPlan | undefined;
  /** True while the lease of its keeper lasts. */
  readonly hasKeeper: boolean;
  readonly roster: string | undefined;
  readonly hasStarted: boolean;
  /** What START says of the command, where the plan does not. */
  readonly lateCommand: LateCommand | undefined;
  /** Signals for the command, all so far in their order. */
  readonly signals: readonly ForwardedSignal[];
  /** Undefined while nobody has said. */
  readonly wanted: WantedState | undefined;
  readonly nodes: ReadonlyMap<number, NodeState>;
}

/** The value of START for a job whose plan has the command; of any other the command as JSON. */
export const started = 'TRUE';

/** The value of REASON when the command itself ended the job. */
const reasonCommand = 'command';

/** REASON for an end that is not the command's. One line: operators read it. */
export function reasonText(end: JobEnd): string {
  if (end.by === 'command') return reasonCommand;
  return [`${end.code}:`, end.message, end.hint].filter(Boolean).join(' ').replaceAll(/\s+/g, ' ').slice(0, 4000);
}

/**
 * A job as its entries say, told piece by piece: what has not changed since the last time is not parsed again. What cannot be parsed counts
 * as not there, but for the plan: a job whose plan another release has written may be running, and nobody must take its subnet.
 */
export class JobStateParser {
  private readonly job: JobKey;
  private readonly root: string;
  private readonly nodePattern: RegExp;
  private readonly fields = new Map<string, string>();
  private readonly values = new Map<number, Map<string, string>>();
  private readonly nodes = new Map<number, NodeState>();
  private plan: { readonly text: string | undefined; readonly plan: JobPlan | undefined } = {
    text: undefined,
    plan: undefined,
  };

  constructor(prefix: string, job: JobKey) {
    this.job = job;
    this.root = `${prefix}/${job}/`;
    this.nodePattern = new RegExp(`^${job}_node_([0-9]{1,6})/([A-Z]+)$`);
  }

  /** The job with this news; states that were given before do not change. Fails with `PLAN_UNREADABLE`. */
  take({ isWhole, entries }: Reading): JobState {
    if (isWhole) for (const each of [this.fields, this.values, this.nodes]) each.clear();
    const changed = new Set<number>();
    for (const { key, value } of entries) {
      if (!key.startsWith(this.root)) continue;
      const name = key.slice(this.root.length);
      const match = this.nodePattern.exec(name);
      if (match === null) this.fields.set(name, value);
      else {
        const index = Number(match[1]);
        const node = this.values.get(index) ?? new Map<string, string>();
        this.values.set(index, node.set(match[2] ?? '', value));
        changed.add(index);
      }
    }
    for (const index of changed) this.nodes.set(index, parseNode(index, this.values.get(index) ?? new Map()));
    return this.describe();
  }

  private describe(): JobState {
    const { fields } = this;
    // The origin's start script wrote FINISHED where its listing said FINISH: both are read.
    const finish = fields.get('FINISH') ?? fields.get('FINISHED');
    const state = finish === undefined ? 'absent' : finish === 'TRUE' ? 'finished' : 'running';
    return {
      finish: state,
      end: state === 'finished' ? parseEnd(fields.get('EXITCODE'), fields.get('REASON')) : undefined,
      plan: this.readPlan(fields.get('PLAN')),
      hasKeeper: fields.has('KEEPER'),
      roster: fields.get('ROSTER'),
      hasStarted: fields.has('START'),
      lateCommand: parseLateCommand(fields.get('START')),
      signals: parseSignals(fields.get('SIGNAL')),
      wanted: wantedStateSchema.safeParse(fields.get('WANTED')).data,
      nodes: new Map(this.nodes),
    };
  }

  private readPlan(text: string | undefined): JobPlan | undefined {
    if (text !== this.plan.text) this.plan = { text, plan: readPlan(this.job, text) };
    return this.plan.plan;
  }
}

/** The job as all of its entries say (or all of a part of them), see `JobStateParser`. */
export function parseJobState(prefix: string, job: JobKey, entries: readonly StoreEntry[]): JobState {
  return new JobStateParser(prefix, job).take({ isWhole: true, entries });
}

function parseEnd(exitCode: string | undefined, reason = ''): JobEnd {
  const status = Number(exitCode);
  const exitStatus = /^[0-9]{1,3}$/.test(exitCode ?? '') && status <= 255 ? status : exitStatusOf('BUG');
  if (reason === reasonCommand) return { by: 'command', exitStatus };
  const match = /^([A-Z_]+): ?(.*)$/s.exec(reason);
  const code = match?.[1] ?? 'BUG';
  return { by: 'middleware', exitStatus, code: isErrorCode(code) ? code : 'BUG', message: match?.[2] ?? reason };
}

function parseLateCommand(start = started): LateCommand | undefined {
  return start === started ? undefined : findJsonAs(lateCommandSchema, start);
}

function parseSignals(text = ''): readonly ForwardedSignal[] {
  return text.split(' ').filter((word) => word === 'SIGUSR1' || word === 'SIGUSR2');
}

function readPlan(job: JobKey, text: string | undefined): JobPlan | undefined {
  if (text === undefined) return undefined;
  try {
    return parsePlan(text);
  } catch (cause) {
    throw new JobError({
      code: 'PLAN_UNREADABLE',
      message: `The plan of job ${job} in the store was not written by this release of hpc-submit-dockerjob.`,
      hint: `Let the job end where it runs, or install the same release on all its hosts. Keys that nobody needs any more: release-job --force ${job}, as root.`,
      cause,
    });
  }
}

function parseNode(index: number, values: ReadonlyMap<string, string>): NodeState {
  const publicKey = (name: string): string | undefined => publicKeySchema.safeParse(values.get(name)).data;
  return {
    index,
    ip: values.get('IP'),
    sshPublicKey: publicKey('SSHPUBKEY'),
    hostPublicKey: publicKey('HOSTKEY'),
    isReady: values.get('READY') === 'True',
    phase: nodePhaseSchema.safeParse(values.get('PHASE')).data ?? 'planned',
    fetched: parseFetched(values.get('FETCHED')),
    isLost: values.has('HOST') && !values.has('PHASE'),
    usage: values.get('USAGE'),
    error: values.get('ERROR'),
  };
}

function parseFetched(text = ''): NodeState['fetched'] {
  const [, bytes, total] = /^([0-9]{1,15})\/([0-9]{1,15})$/.exec(text) ?? [];
  return bytes === undefined || total === undefined ? undefined : { bytes: Number(bytes), total: Number(total) };
}
