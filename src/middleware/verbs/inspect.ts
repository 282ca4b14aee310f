import type { Verb } from './verb.ts';

export const inspect: Verb = {
  name: 'inspect',
  description:
    'show all that is known of a job: its nodes, their phases and what it waits for; once it is over, how it ended and when',
  define: (verb) => {
    verb.argument('<job>', 'job id, as the scheduler shows it').option('--json', 'write all of it as one JSON object');
  },
  run: async ({ called }) => {
    process.chdir('/'); // where we are called from counts for nothing, and may be gone
    const { findAnswer } = await import('../jobs/find-answer.ts');
    const { inspectionJson, renderInspection } = await import('../jobs/show-inspection.ts');
    const lines = await findAnswer(called.args[0] ?? '');
    const isForPrograms = called.opts<{ readonly json?: boolean }>().json === true;
    process.stdout.write(isForPrograms ? `${inspectionJson(lines)}\n` : renderInspection(lines));
    return 0;
  },
};
