import type { Verb } from './verb.ts';

export const shell: Verb = {
  name: 'shell',
  description:
    "open a terminal in a running job's container, or run the command after -- there, as the job's own processes run",
  define: (verb) => {
    verb
      .argument('<job>', 'job id, as the scheduler shows it')
      .argument('[node]', 'number of the node, counted from 0, or its host', undefined)
      .usage('<job> [node] [-- command [argument…]]');
  },
  run: async ({ called, command }) => {
    const [job = '', node] = called.args;
    process.chdir('/'); // where we are called from counts for nothing, and may be gone
    const { findPlace, findSources } = await import('../shell/find-place.ts');
    const { enterByHelper } = await import('../shell/enter-by-helper.ts');
    return await enterByHelper(await findPlace({ job, node }, findSources(process.env)), command);
  },
};
