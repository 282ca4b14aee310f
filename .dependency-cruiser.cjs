const { existsSync, readdirSync } = require('node:fs');

/** The directions in which the layers may import each other; see docs/architecture.md. */
const only = (name, from, ...allowed) => ({
  name,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { path: '^src/', pathNot: [from, ...allowed].map((folder) => `^src/${folder}/`) },
});
const adapter = (folder) => only(`${folder}-is-an-adapter`, folder, 'shared', 'ports');
/** A folder with root's side of a scheduler is a scheduler's. */
const schedulers = readdirSync('src').filter((folder) => existsSync(`src/${folder}/${folder}-authority.ts`));
const onlyImporter = (name, folder, module) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${folder}/` },
  to: { path: `^node_modules/${module}/` },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('shared-imports-nothing', 'shared'),
    only('ports-are-types', 'ports', 'shared'),
    only('config-is-policy', 'config', 'shared'),
    adapter('etcd'),
    adapter('docker'),
    ...schedulers.map((folder) => only(`${folder}-is-a-scheduler`, folder, 'shared', 'ports', 'confirmation')),
    only('schedulers-is-the-table', 'schedulers', ...schedulers, 'shared', 'ports', 'config'),
    only('confirmation-serves-schedulers', 'confirmation', 'shared', 'ports'),
    adapter('network'),
    adapter('local-store'),
    adapter('ssh'),
    only('discovery-is-a-program', 'discovery', 'shared', 'ssh'),
    only('policy-is-pure', 'policy', 'shared', 'config'),
    only('middleware-is-a-program', 'middleware', 'shared', 'ports', 'config', 'policy', 'lsf'),
    only(
      'helper-is-a-program',
      'helper',
      'shared',
      'ports',
      'config',
      'policy',
      'schedulers',
      'docker',
      'etcd',
      'network',
      'local-store',
    ),
    onlyImporter('only-etcd-imports-etcd3', 'etcd', 'etcd3'),
    onlyImporter('only-docker-imports-dockerode', 'docker', 'dockerode'),
    onlyImporter('only-ssh-imports-ssh2', 'ssh', 'ssh2'),
    {
      name: 'product-does-not-import-lab-or-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(lab|test|bench)/' },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
