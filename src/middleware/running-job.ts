import type { Readable } from 'node:stream';
import type { HelperEvent, HostsEnd, JobEnd } from '../contract/helper-events.ts';
import { inputPipe } from '../contract/job-input.ts';
import type { JobKey } from '../contract/job-key.ts';
import type { LateCommand } from '../contract/job-request.ts';
import type { Allocation, Scheduler } from '../ports/scheduler.ts';
import type { Log } from '../system/log.ts';
import { silentLog } from '../system/log.ts';
import { asClause, JobError } from '../values/errors.ts';
import type { HelperSession } from './call-helper.ts';
import type { Launched } from './launch-nodes.ts';
import type { Outcome } from './outcome.ts';
import { passInput } from './pass-input.ts';
import type { SignalTargets } from './pass-signals.ts';
import type { Progress } from './show-progress.ts';

/** What is to be done for a job while it runs. */
export interface JobHandling {
  readonly scheduler: Pick<Scheduler, 'suspendsBatchScript'>;
  readonly progress: Progress;
  /** The command's standard input, opened when the command is there; without it that is empty. */
  readonly openInput?: () => Readable;
  /** What is done, for whoever looks for a fault; default: nothing. */
  readonly log?: Log;
  /** Told when all nodes are ready, and how a command that comes later is given; the first counts. */
  readonly onReady?: (give: (late: LateCommand) => void) => void;
  /** Told when the job is over, before it is taken away. */
  readonly onFinished?: () => void;
}

/** A job from the helper's first event to its release, as the middleware sees it. */
export class RunningJob {
  readonly #allocation: Allocation;
  readonly #input: JobHandling;
  readonly #helper: HelperSession;
  readonly #start: () => Launched;
  readonly #passed = new DisposableStack();
  #launched: Launched | undefined;
  #opened: Extract<HelperEvent, { event: 'opened' }> | undefined;
  #end: JobEnd | undefined;
  #leftovers: readonly string[] | undefined;
  #usage: Extract<HelperEvent, { event: 'released' }>['usage'] = [];
  #isReleased = false;
  #hosts: HostsEnd = 'unsure';
  #cancelledBy: NodeJS.Signals | undefined;

  constructor(allocation: Allocation, input: JobHandling, helper: HelperSession, start: () => Launched) {
    this.#allocation = allocation;
    this.#input = input;
    this.#helper = helper;
    this.#start = start;
  }

  /** Starts the launcher, once. */
  launch(): Launched {
    this.#launched ??= this.#start();
    return this.#launched;
  }

  /** What signals to this program do to the job. */
  signalTargets(): SignalTargets {
    const helper = this.#helper;
    return {
      cancel: (signal) => {
        this.#cancelledBy ??= signal;
        helper.order({ order: 'cancel', signal });
        // Nothing is left to be cancelled but the delivery of output to a reader who stands still.
        if (this.#isReleased) void this.#launched?.abandon();
      },
      forward: (signal) => helper.order({ order: 'signal', signal }),
      ...(this.#input.scheduler.suspendsBatchScript ? { want: (state) => helper.order({ order: 'want', state }) } : {}),
    };
  }

  /** Follows the helper's events to the last. Fails when the job was never opened, or when nobody knows how it ended. */
  async follow(): Promise<void> {
    const { progress, log = silentLog } = this.#input;
    using _passed = this.#passed;
    try {
      for await (const event of this.#helper.events) {
        if (event.event === 'refused') throw this.#explainRefusal(JobError.fromWire(event));
        progress.show(event);
        log.debug('helper-told', { ...event, event: undefined, told: event.event });
        this.#take(event);
      }
    } catch (error) {
      // How the job ended was told once, and counts: only what is left of it is not known.
      if (this.#opened === undefined || this.#end === undefined) {
        await this.#launched?.abandon();
        throw error;
      }
      progress.say(`released  not known: ${asClause(error)}; the epilogs remove what is left`);
    }
  }

  /** Its last output must be through before the job's status is known to the scheduler. */
  async deliver(): Promise<void> {
    const delivery = await this.#launched?.finish(this.#hosts);
    if (delivery !== undefined && delivery !== 'ended') this.#input.progress.say(`note      ${undelivered[delivery]}`);
  }

  /** How it ended. Fails with `BUG` when the helper has not said. */
  tellOutcome(): Outcome {
    const [opened, end, leftovers] = [this.#opened, this.#end, this.#leftovers];
    if (opened === undefined || end === undefined)
      throw new JobError({ code: 'BUG', message: 'The helper ended the job without saying how.' });
    return {
      job: this.#allocation.job,
      scheduler: this.#allocation.scheduler,
      opened,
      end,
      ...(leftovers === undefined ? {} : { leftovers }),
      usage: this.#usage,
      phaseTimesMs: this.#input.progress.phaseTimesMs,
    };
  }

  /** A scheduler that ends a job may know it no more before we hear of that. */
  #explainRefusal(refusal: JobError): JobError {
    if (this.#cancelledBy === undefined || refusal.code !== 'JOB_NOT_YOURS') return refusal;
    return new JobError({
      code: this.#cancelledBy === 'SIGINT' ? 'INTERRUPTED' : 'TERMINATED',
      message: `The job was cancelled (${this.#cancelledBy}) while it was being opened.`,
    });
  }

  #take(event: HelperEvent): void {
    switch (event.event) {
      case 'opened':
        this.#opened = event;
        this.#tellOfGpus(event.devices);
        this.launch().adopt();
        break;
      case 'ready':
        this.#giveInputAndCommand();
        break;
      case 'finished':
        this.#end = event.end;
        this.#passed.dispose();
        this.#input.onFinished?.();
        break;
      case 'released':
        this.#leftovers = event.leftovers;
        this.#usage = event.usage;
        this.#hosts = event.hosts === 'done' && event.leftovers.length > 0 ? 'unsure' : event.hosts;
        this.#isReleased = true;
        break;
      case 'refused':
      case 'node':
      case 'fetching':
      case 'note':
      case 'gathered':
        break;
    }
  }

  /** A program that finds no GPU runs without, for hours. */
  #tellOfGpus(devices: readonly string[]): void {
    const [first] = this.#allocation.hosts;
    if (devices.length > 0 || first?.gpus === undefined || first.gpus.length === 0) return;
    const gpus = `the job has GPUs (on ${first.name}: ${first.gpus.join(', ')})`;
    this.#input.progress.say(`note      ${gpus}; this site gives containers none, or only with --device NAME`);
  }

  #giveInputAndCommand(): void {
    const { openInput, onReady } = this.#input;
    const helper = this.#helper;
    this.#launched?.distrustWords();
    if (openInput !== undefined) this.#passed.use(startInput(this.#allocation.job, openInput, helper));
    onReady?.((late) => helper.order({ order: 'command', ...late }));
  }
}

const undelivered = {
  dead: "the scheduler's launcher did not end although every host was done; it was ended, and the last of the output may be missing",
  unread: 'nobody took the output for ten minutes; the rest of it was discarded',
} as const;

/** Half an input must not pass for a whole one: the job is ended. */
function startInput(job: JobKey, openSource: () => Readable, helper: HelperSession): Disposable {
  return passInput(inputPipe(job), openSource, (reason) => {
    process.stderr.write(`hpc-submit-dockerjob: Standard input could not be passed on to its end: ${reason}.\n`);
    helper.order({ order: 'cancel', signal: 'SIGTERM' });
  });
}
