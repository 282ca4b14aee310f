import type { SiteConfig } from '../../config/site-schema.ts';
import type { HelperEvent } from '../../contract/helper-events.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { JobRecord } from '../../contract/job-record.ts';
import { exitStatusOf } from '../../values/errors.ts';
import { makeJobRecord } from './make-record.ts';
import type { EndedJob } from './make-record.ts';
import { leavePendingRecord, removePendingRecord } from './pending-record.ts';
import { openRecordWriter } from './write-record.ts';
import type { RecordWriter } from './write-record.ts';

/** Of a job that nobody has ended yet. */
const unended: Omit<EndedJob, 'plan' | 'phaseTimesMs'> = {
  lateCommand: undefined,
  end: {
    by: 'middleware',
    exitStatus: exitStatusOf('BUG'),
    code: 'BUG',
    message: 'The helper that kept the job has failed.',
  },
  usage: [],
  leftovers: [],
};

/**
 * The record of a job in the hands of its keeper: pending until the keeper ends it, or disposes of it since something of
 * ours has failed. Nothing of it ever fails.
 */
export class RecordKeeper implements AsyncDisposable {
  readonly #records: SiteConfig['records'];
  readonly #plan: JobPlan;
  readonly #times = new Map<HelperEvent['event'], number>();
  #writer: RecordWriter | undefined;
  /** The last time that the pending record was written: two at once would be one too many at the end. */
  #pending: Promise<void> = Promise.resolve();
  #isEnded = false;

  private constructor(records: SiteConfig['records'], plan: JobPlan) {
    this.#records = records;
    this.#plan = plan;
  }

  static async begin(records: SiteConfig['records'], plan: JobPlan): Promise<RecordKeeper> {
    const keeper = new RecordKeeper(records, plan);
    keeper.#leavePending();
    await keeper.#pending;
    return keeper;
  }

  /** The same as `tell`; notes when each event came first. */
  noting(tell: (event: HelperEvent) => void): (event: HelperEvent) => void {
    return (event) => {
      if (!this.#times.has(event.event)) this.#times.set(event.event, this.#sinceOpened());
      tell(event);
      if (event.event === 'ready') this.#leavePending();
    };
  }

  /** The end is near: what writes the record is started, so that nobody waits for that later. */
  expectEnd(): void {
    this.#writer = openRecordWriter(this.#records);
  }

  /** Writes the record; to be called when all has been released. */
  async end(ended: Omit<EndedJob, 'plan' | 'phaseTimesMs'>): Promise<void> {
    this.#isEnded = true;
    await this.#pending;
    const writer = this.#writer ?? openRecordWriter(this.#records);
    await writer.write(makeJobRecord({ ...ended, plan: this.#plan, phaseTimesMs: this.#readTimes() }));
    await removePendingRecord(this.#plan.job);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEnded) await this.end(unended);
  }

  #leavePending(): void {
    if (this.#isEnded) return;
    const record = makeJobRecord({ ...unended, plan: this.#plan, phaseTimesMs: this.#readTimes() });
    this.#pending = this.#pending.then(async () => await leavePendingRecord(this.#records, record));
  }

  #readTimes(): JobRecord['phaseTimesMs'] {
    const [gathered, ready] = [this.#times.get('gathered'), this.#times.get('ready')];
    return {
      ...(gathered === undefined ? {} : { gathered }),
      ...(ready === undefined ? {} : { ready }),
      finished: this.#times.get('finished') ?? 0,
      released: this.#sinceOpened(),
    };
  }

  #sinceOpened(): number {
    return Math.max(0, Date.now() - Date.parse(this.#plan.openedAt));
  }
}
