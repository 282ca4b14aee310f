import { existsSync } from 'node:fs';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobRecord } from '../../contract/job-record.ts';
import { labels } from '../../contract/labels.ts';
import type { InspectedJob, ShownLine } from '../../contract/shown-job.ts';
import type { FoundContainer } from '../../ports/container-engine.ts';
import { within } from '../../system/deadline.ts';
import { asClause } from '../../values/errors.ts';
import { notYours } from '../caller/identify-caller.ts';
import { requireOwnJob } from '../caller/require-own-job.ts';
import { localStoreSocket } from '../host/run-directory.ts';
import type { JobState } from '../job/job-state.ts';
import { openStoreToEnd } from '../job/open-store.ts';
import type { HelperContext } from '../open-context.ts';
import { readRecords } from '../records/read-records.ts';
import { inspectPlannedJob } from './describe-job.ts';

/** Of the keeper of a job on one host: one that is suspended or hangs answers nobody. */
const keeperMs = 3000;

/** Whose a record is shows only once it is found; any user may ask for any job. */
const mostBytesForUsers = 128 * 1024 ** 2;

type Asking = Pick<HelperContext, 'site' | 'caller' | 'engine' | 'authorities'>;

/**
 * All that is known of a job: as its keys say while it is open, afterwards by its record. Fails with `JOB_NOT_YOURS` in
 * the same words for a job of somebody else and for none.
 */
export async function inspectJob(asking: Asking, job: JobKey): Promise<readonly ShownLine[]> {
  const notes: string[] = [];
  const container = await findContainerHere(asking, job, notes);
  const state = await readState(asking, job, notes);
  const live = state?.plan === undefined ? describeByContainer(job, container) : inspectPlannedJob(state.plan, state);
  const record = live === undefined ? await findRecord(asking, job, notes) : undefined;
  await requireOwnJob(asking, job, live?.uid ?? record?.uid);
  const told = notes.map((message) => ({ kind: 'note', message }) as const);
  if (live !== undefined) return [{ kind: 'inspected', job: live }, ...told];
  if (record !== undefined) return [{ kind: 'record', record }, ...told];
  if (told.length > 0) return told;
  throw notYours(job);
}

async function findContainerHere(
  { engine }: Asking,
  job: JobKey,
  notes: string[],
): Promise<(FoundContainer & { readonly isPaused: boolean }) | undefined> {
  try {
    const [found] = await engine.findContainers({ [labels.job]: job });
    if (found === undefined) return undefined;
    return { ...found, isPaused: (await engine.findActivity(found.id))?.kind === 'paused' };
  } catch (error) {
    notes.push(`The Docker Engine of this host does not answer: ${asClause(error)}.`);
    return undefined;
  }
}

/** Undefined where nobody tells. */
async function readState({ site }: Asking, job: JobKey, notes: string[]): Promise<JobState | undefined> {
  const read = async (): Promise<JobState> => {
    await using jobStore = await openStoreToEnd(site, job);
    return await jobStore.read();
  };
  try {
    if (!existsSync(localStoreSocket(job))) return await read();
    const state = await within(keeperMs, read(), undefined);
    if (state === undefined)
      notes.push('Its keeper on this host does not answer: it is suspended with the job, or hangs.');
    return state;
  } catch (error) {
    notes.push(asClause(error));
    return undefined;
  }
}

function describeByContainer(
  job: JobKey,
  container: (FoundContainer & { readonly isPaused: boolean }) | undefined,
): InspectedJob | undefined {
  if (container === undefined) return undefined;
  const uid = Number(container.labels[labels.uid]);
  return {
    job,
    phase: container.isPaused ? 'suspended' : 'unknown',
    ...(Number.isSafeInteger(uid) ? { uid } : {}),
    hosts: [],
    nodes: [],
    waitsFor: container.isPaused ? ['It is suspended, and goes on when the scheduler resumes it.'] : [],
    note: `container ${container.name} is on this host`,
  };
}

/** The last run of the job that has ended. */
async function findRecord({ site, caller }: Asking, job: JobKey, notes: string[]): Promise<JobRecord | undefined> {
  if (site.records.directory === '') return undefined;
  const name = `"job":"${job}"`;
  const read = await readRecords(
    site.records.directory,
    (line) => line.includes(name),
    caller.kind === 'root' ? {} : { mostBytes: mostBytesForUsers },
  );
  notes.push(...read.notes);
  return read.records.findLast((record) => record.job === job);
}
