import { toJsonLine } from '../../values/json-line.ts';
import { requireStream } from '../caller/require-stream.ts';
import type { HelperVerb } from './helper-verb.ts';

export const checkHostVerb: HelperVerb = {
  name: 'check-host',
  does: 'whether this host can serve jobs, as JSON lines; for doctor, pre-exec and prolog',
  words: [],
  options: {},
  run: async ({ openContext }) => {
    const { checkHost, readHostQuestion } = await import('../host-checks/check-host.ts');
    const { statusOfFindings } = await import('../../contract/finding.ts');
    requireStream(0);
    const context = await openContext();
    const question = await readHostQuestion(process.stdin, context.caller.kind === 'root');
    context.audit.allow('anyone', { scope: question.scope });
    const findings = await checkHost(context, question);
    for (const finding of findings) process.stdout.write(toJsonLine(finding));
    process.exitCode = statusOfFindings(findings);
  },
};
