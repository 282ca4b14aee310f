import { requireRoot } from '../caller/identify-caller.ts';
import { JobError } from '../../values/errors.ts';
import { oneLine } from '../../values/one-line.ts';
import type { HelperVerb } from './helper-verb.ts';
import { say, warn } from './say.ts';

const mostShown = 20;

export const auditVerb: HelperVerb = {
  name: 'audit',
  does: 'audit verify: whether all records of audit.file, or of FILE…, are there, unchanged and in order (root only)',
  words: [
    { name: 'action', meaning: 'verify' },
    {
      name: 'file',
      meaning: 'audit files, rotated ones too; by default audit.file and what it was rotated to',
      isOptional: true,
      isRepeated: true,
    },
  ],
  options: {},
  run: async ({ words: [action = '', ...files], openContext }) => {
    if (action !== 'verify')
      throw new JobError({ code: 'USAGE', message: `"${action.slice(0, 40)}" is no action.`, hint: 'Known: verify.' });
    const context = await openContext();
    requireRoot(context.caller, 'Only root may look at audit records');
    context.audit.allow('root');
    const { findRotated, verifyAudit } = await import('../audit/verify-audit.ts');
    const { auditStateFile } = await import('../audit/open-audit.ts');
    const asked = files.length > 0 ? files : await findRotated(requireFile(context.site.audit.file));
    const { findings, hosts } = await verifyAudit(asked, auditStateFile());
    const faults = findings.filter(({ kind }) => kind === 'broken');
    for (const { text } of findings.filter(({ kind }) => kind === 'note')) say([`note: ${text}`]);
    for (const { text } of faults.slice(0, mostShown)) warn(text);
    if (faults.length > mostShown) warn(`and ${faults.length - mostShown} more`);
    if (faults.length > 0) process.exitCode = 1;
    else say([...hosts].map(([host, { seq }]) => `host ${oneLine(host, 253)}: whole up to record ${seq}`));
  },
};

function requireFile(file: string): string {
  if (file !== '') return file;
  throw new JobError({
    code: 'USAGE',
    message: 'site.yaml: audit.file is empty, so the records of this host are in syslog, without a chain.',
    hint: 'Name the files: audit verify FILE…',
  });
}
