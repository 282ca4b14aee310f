import type { Verb } from '../../verbs/verb.ts';

export const spread: Verb = {
  name: 'spread',
  description: 'run the command after -- on every host by ssh',
  isHidden: true,
  define: (verb) => void verb.argument('<ssh>').argument('<hosts>', 'names with "," between them'),
  run: async ({ called: { args }, command }) => {
    const [ssh = '', hosts = ''] = args;
    const { spreadBySsh } = await import('../../../lsf/spread-by-ssh.ts');
    return await spreadBySsh(ssh, hosts.split(','), command);
  },
};
