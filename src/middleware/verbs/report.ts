import { InvalidArgumentError, Option } from 'commander';
import { JobError } from '../../values/errors.ts';
import type { ReportKey } from '../jobs/sum-records.ts';
import type { Verb } from './verb.ts';

interface ReportOptions {
  readonly by: ReportKey;
  readonly since?: Date;
  readonly json?: boolean;
}

const keys: readonly ReportKey[] = ['user', 'image', 'application', 'day', 'end'];

export const report: Verb = {
  name: 'report',
  description:
    'sum the records of ended jobs by user, image, application, day or end; of this host, or of all hosts that share records.directory. Root only',
  define: (verb) => {
    verb
      .addOption(new Option('--by <key>', 'what makes a row').choices(keys).default('user'))
      .option('--since <time>', 'only jobs that ended since then: 24h, 7d, 2026-11-29', toTime)
      .option('--json', 'write it as one JSON object');
  },
  run: async ({ called }) => {
    const { by, since, json } = called.opts<ReportOptions>();
    if (process.getuid?.() !== 0)
      throw new JobError({
        code: 'NOT_PERMITTED',
        message: 'The records of all users are for root alone.',
        hint: 'Your own jobs: hpc-submit-dockerjob inspect JOB.',
      });
    const { helperArgv } = await import('../call-helper.ts');
    const { askRecords } = await import('../jobs/ask-jobs.ts');
    const { renderReport, sumRecords } = await import('../jobs/sum-records.ts');
    const words = since === undefined ? [] : ['--since', since.toISOString()];
    const rows = sumRecords(await askRecords(helperArgv('show-records', ...words)), by);
    process.stdout.write(json === true ? `${JSON.stringify({ by, rows })}\n` : renderReport(rows, by));
    return 0;
  },
};

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000 };

function toTime(text: string): Date {
  const [, count, unit = ''] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  const time = count === undefined ? Date.parse(text) : Date.now() - Number(count) * (unitMs[unit] ?? 0);
  const isDate = count !== undefined || /^\d{4}-\d\d-\d\d(?:T[\d:.]+Z?)?$/.test(text);
  if (isDate && Number.isFinite(time)) return new Date(time);
  throw new InvalidArgumentError('Hours or days like 24h or 7d, or a date like 2026-11-29, are expected.');
}
