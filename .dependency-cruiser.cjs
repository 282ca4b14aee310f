const { existsSync, readdirSync } = require('node:fs');

/** The directions in which the layers may import each other; see docs/architecture.md. */
const only = (name, from, ...allowed) => ({
  name,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { path: '^src/', pathNot: [from, ...allowed].map((folder) => `^src/${folder}/`) },
});
const except = (rule, file) => ({ ...rule, to: { ...rule.to, pathNot: [...rule.to.pathNot, file] } });
/** What everything but the pure folders stands on. */
const ground = ['contract', 'values', 'system'];
const adapter = (folder) => only(`${folder}-is-an-adapter`, folder, ...ground, 'ports');
/** A folder with root's side of a scheduler is a scheduler's. */
const schedulers = readdirSync('src').filter((folder) => existsSync(`src/${folder}/${folder}-authority.ts`));
const onlyImporter = (name, folder, module) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${folder}/` },
  to: { path: `^node_modules/${module}/` },
});

/** The rooms of the helper: what each may import of the others. */
const room = (name, ...allowed) => roomOf('helper', name, ...allowed);
const roomOf = (house, name, ...allowed) => ({
  name: `${house}-room-${name}`,
  severity: 'error',
  from: { path: `^src/${house}/${name}/` },
  to: { path: `^src/${house}/[^/]+/`, pathNot: [name, ...allowed].map((folder) => `^src/${house}/${folder}/`) },
});
const helperRooms = [
  room('audit'),
  room('caller'),
  room('host'),
  room('job', 'host'),
  room('release', 'records', 'job', 'host', 'caller'),
  room('control', 'job', 'host', 'caller'),
  room('enter', 'job', 'host', 'caller'),
  room('records', 'host'),
  room('show', 'records', 'job', 'host', 'caller', 'release'),
  room('keeper', 'records', 'job', 'host', 'caller', 'release'),
  room('node', 'job', 'host', 'caller', 'release'),
  room('host-checks', 'host', 'caller', 'job'),
  room('verbs', 'audit', 'host-checks', 'node', 'keeper', 'control', 'enter', 'show', 'records', 'release', 'caller'),
];

/** The tasks of the agent: only who meets the others makes the files and opens the relay. */
const discoveryRooms = [
  roomOf('discovery', 'files'),
  roomOf('discovery', 'launch'),
  roomOf('discovery', 'relay'),
  roomOf('discovery', 'meet', 'files', 'launch', 'relay'),
];

/** Kinds of networks touch a host by what the helper gives them, so every program may read their table. */
const networks = [
  except(only('networks-are-pure', 'network', 'contract', 'values', 'ports'), '^src/config/site-fields[.]ts$'),
  {
    name: 'networks-touch-no-host',
    severity: 'error',
    from: { path: '^src/network/' },
    to: { dependencyTypes: ['core', 'npm', 'npm-dev'], pathNot: '^(crypto|node:crypto|node_modules/zod/)' },
  },
  {
    name: 'network-kinds-know-only-themselves',
    severity: 'error',
    from: { path: '^src/network/([^/]+)/' },
    to: { path: '^src/network/[^/]+/', pathNot: '^src/network/$1/' },
  },
  {
    name: 'networks-are-found-by-the-table',
    severity: 'error',
    from: { path: '^src/', pathNot: '^src/network/' },
    to: { path: '^src/network/', pathNot: '^src/network/known-networks[.]ts$' },
  },
];

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('values-import-nothing', 'values'),
    only('contract-is-what-programs-say', 'contract', 'values', 'network'),
    only('system-knows-no-job', 'system', 'values', 'contract'),
    only('allocation-serves-schedulers', 'allocation', 'contract', 'values'),
    only('ports-are-types', 'ports', 'contract', 'values'),
    only('config-is-policy', 'config', ...ground, 'network'),
    adapter('etcd'),
    adapter('docker'),
    ...schedulers.map((folder) =>
      only(`${folder}-is-a-scheduler`, folder, ...ground, 'ports', 'confirmation', 'allocation'),
    ),
    only('schedulers-is-the-table', 'schedulers', ...schedulers, ...ground, 'ports', 'config'),
    only('confirmation-serves-schedulers', 'confirmation', ...ground, 'ports'),
    ...networks,
    adapter('cgroup'),
    only('pki-knows-no-job', 'pki', ...ground),
    adapter('local-store'),
    adapter('ssh'),
    only('discovery-is-a-program', 'discovery', ...ground, 'ssh'),
    only('policy-is-pure', 'policy', 'contract', 'values', 'config', 'network', 'ports'),
    except(
      only(
        'middleware-is-a-program',
        'middleware',
        ...ground,
        'ports',
        'config',
        'policy',
        'network',
        'lsf',
        'slurm',
        'schedulers',
        'pki',
      ),
      // explain shows what the helper asks of the engine: the words alone, which bring nothing of the engine with them.
      // Whether memory was why the helper has died, the kernel tells everybody.
      '^src/(?:docker/(?:describe-create-options|seccomp-profile)|cgroup/watch-memory)[.]ts$',
    ),
    only(
      'helper-is-a-program',
      'helper',
      ...ground,
      'ports',
      'config',
      'policy',
      'schedulers',
      'docker',
      'cgroup',
      'etcd',
      'network',
      'local-store',
    ),
    ...helperRooms,
    ...discoveryRooms,
    onlyImporter('only-etcd-imports-etcd3', 'etcd', 'etcd3'),
    onlyImporter('only-docker-imports-dockerode', 'docker', 'dockerode'),
    onlyImporter('only-pki-imports-node-forge', 'pki', 'node-forge'),
    onlyImporter('only-ssh-imports-ssh2', 'ssh', 'ssh2'),
    onlyImporter('only-system-imports-pino', 'system', 'pino'),
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
