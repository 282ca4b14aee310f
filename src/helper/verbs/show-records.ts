import { requireRoot } from '../caller/identify-caller.ts';
import { JobError } from '../../values/errors.ts';
import { toJsonLine } from '../../values/json-line.ts';
import type { HelperVerb } from './helper-verb.ts';
import { warn } from './say.ts';

export const showRecordsVerb: HelperVerb = {
  name: 'show-records',
  does: 'the records of jobs that are over, as JSON lines, oldest first; called by report (root only)',
  words: [],
  options: { since: { meaning: 'only those that ended then or later, as 2026-11-29T00:00:00Z', value: 'time' } },
  run: async ({ options, openContext }) => {
    const since = readTime(options['since']);
    const { readRecords } = await import('../records/read-records.ts');
    const { caller, site, audit } = await openContext();
    requireRoot(caller, 'Only root may see all records');
    audit.allow('root');
    if (site.records.directory === '') warn('site.yaml: records.directory is empty, so there are none');
    const { records, notes } = await readRecords(site.records.directory, () => true);
    for (const note of notes) warn(note);
    for (const record of records) if (record.endedAt >= since) process.stdout.write(toJsonLine(record));
  },
};

function readTime(text: string | true | undefined): string {
  if (text === undefined) return '';
  const time = typeof text === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(time)) return new Date(time).toISOString();
  throw new JobError({
    code: 'USAGE',
    message: `"${String(text).slice(0, 40)}" is no time like 2026-11-29T00:00:00Z.`,
  });
}
