/** The attacker has one host's certificate, and changes the plan between `open-job` and `run-node`. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, writeLabFile } from '../../lab/batch-jobs.ts';
import { etcdctl } from '../../lab/find-leftovers.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import type { JobPlan } from '../../src/contract/job-plan.ts';
import { hostAddress, macOf } from '../../src/values/subnet.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { findLastingLeftovers, inHostDocker, startBatch } from '../support/e2e-jobs.ts';
import { until } from '../support/until.ts';
import { e2eLab } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
const foreignSubnet = '10.143.255.0/24';
const foreignKey = '/.site/subnets/10.143.255.0_24';

type Change = (plan: JobPlan) => object;
interface Attack {
  readonly what: string;
  readonly change: Change;
  /** Texts of the hosts' answer, or of the command's output where the job runs. */
  readonly shows: readonly (string | RegExp)[];
  readonly runs?: true;
}

const withUser = (plan: JobPlan, user: object): object => ({ ...plan, user: { ...plan.user, ...user } });
const withNetwork = (plan: JobPlan, network: object): object => ({ ...plan, network: { ...plan.network, ...network } });
const inSubnet = (plan: JobPlan, cidr: string): object => ({
  ...withNetwork(plan, { cidr, vni: 4096 + ((10 * 2 ** 24 + 143 * 2 ** 16 + 255 * 2 ** 8 - poolStart) >> 8) }),
  nodes: plan.nodes.map((node, index) => {
    const ip = hostAddress(cidr, index);
    return { ...node, ip, mac: macOf(ip) };
  }),
});
const poolStart = 10 * 2 ** 24 + 128 * 2 ** 16;
let tinyId = '';

const attacks: readonly Attack[] = [
  { what: 'nothing', change: (plan) => plan, runs: true, shows: ['uid=2001(alice) gid=2001(alice)', 'status 0'] },
  {
    what: 'an image that the site does not allow',
    change: (plan) => ({ ...plan, image: { ...plan.image, reference: 'secret/x:1' } }),
    shows: [
      /site\.yaml on host node[12] does not allow .* Image secret\/x:1 is not allowed/,
      '"code":"IMAGE_NOT_ALLOWED"',
    ],
  },
  {
    what: 'the id of another image',
    change: (plan) => ({ ...plan, image: { ...plan.image, id: tinyId } }),
    shows: [/image lab\/mpi:1 on host node[12] is another one/],
  },
  {
    what: 'an image id for a name',
    change: (plan) => ({ ...plan, image: { ...plan.image, reference: plan.image.id?.slice(7) ?? '' } }),
    shows: ['an image id is not a name'],
  },
  {
    what: 'groups',
    change: (plan) =>
      withUser(plan, {
        groups: [
          ...plan.user.groups,
          { gid: 6, name: 'disk' },
          { gid: 42, name: 'shadow' },
          { gid: 2002, name: 'bob' },
        ],
      }),
    runs: true,
    shows: [/groups=2001\(alice\),2100\(cfd\)$/m, 'status 0'],
  },
  {
    what: 'the uid of another user',
    change: (plan) => withUser(plan, { uid: 2002, name: 'bob', gid: 2002, home: '/home/bob' }),
    shows: ['is one of another user or job', '[JOB_NOT_YOURS]'],
  },
  {
    what: 'the name of another job',
    change: (plan) => ({ ...plan, job: '4711' }),
    shows: ['is one of another user or job', '[JOB_NOT_YOURS]'],
  },
  {
    what: 'a primary group of others',
    change: (plan) => withUser(plan, { gid: 42 }),
    shows: [/host node[12] does not have alice in the group 42/],
  },
  {
    what: 'a home with a line end',
    change: (plan) => withUser(plan, { home: '/home/alice\nroot::0:0::/:/bin/sh' }),
    shows: [/user database on host node[12] differs for uid 2001: the home is .{1,2}\/home\/alice/],
  },
  {
    what: 'a network that is claimed by another job',
    change: (plan) => inSubnet(plan, foreignSubnet),
    shows: ['The network 10.143.255.0/24 in the plan of job', 'is not claimed by this run of the job'],
  },
  {
    what: 'a mount',
    change: (plan) => ({ ...plan, mounts: [...plan.mounts, { source: '/opt', target: '/mnt', readOnly: true }] }),
    shows: [/site\.yaml on host node[12] does not allow .* \/opt may not be mounted/],
  },
  {
    what: 'the network identifier and the port',
    change: (plan) => withNetwork(plan, { vni: plan.network.vni + 1, port: 4790 }),
    shows: [/site\.yaml on host node[12] differs: network\.vxlan\.baseId .*; network\.vxlan\.port is 4789 here, 4790/],
  },
  {
    what: 'an address of a node',
    change: (plan) => ({ ...plan, nodes: plan.nodes.map((node) => ({ ...node, mac: '02:68:00:00:00:01' })) }),
    shows: ['addresses that host node'],
  },
  {
    what: 'the time that it may run and the port of ssh',
    change: (plan) => ({ ...plan, maxRunSeconds: 5, sshPort: 2223 }),
    shows: [/applications\.\*\.maxRunSeconds is 0 here, 5 in the plan; ssh\.port is 2222 here, 2223/],
  },
];

/** Opens the job for each attack in turn and runs its nodes when the test has changed the plan. */
const script = String.raw`
set -o pipefail
launch=0123456789abcdef
request='{"protocol":1,"launchId":"'$launch'","scheduler":"slurm","schedulerJobId":"'$SLURM_JOB_ID'","job":"'$SLURM_JOB_ID'","hosts":[{"name":"node1","slots":1},{"name":"node2","slots":1}],"image":"lab/mpi:1","command":{"kind":"argv","argv":["id"]},"workdir":"'$PWD'","environment":{},"mounts":[]}'
for n in $(seq 0 $((COUNT - 1))); do
  rm -f orders; mkfifo orders
  (sudo -n ${helper} open-job <orders 2>&1 | cat >events.$n) &
  opener=$!
  exec 3>orders
  echo "$request" >&3
  until grep -q '"event":"\(opened\|refused\)"' events.$n; do sleep 0.05; done
  touch opened.$n
  until [ -e go.$n ]; do sleep 0.05; done
  srun --overlap --mem=0 -N2 -n2 --ntasks-per-node=1 --kill-on-bad-exit=0 sudo -n ${helper} run-node $SLURM_JOB_ID $launch 2>&1 | cat >nodes.$n
  echo "status $?" >>nodes.$n
  exec 3>&-
  wait $opener
  touch done.$n
done
`;

let lab: Lab;
let job: BatchJob;

beforeAll(async () => {
  lab = await e2eLab();
  tinyId = await inHostDocker(lab, 'node1', 'image', 'inspect', '--format', '{{.Id}}', 'lab/tiny:1');
  for (const host of ['node1', 'node2']) await inHostDocker(lab, host, 'tag', 'lab/mpi:1', 'secret/x:1');
  await mustRun(lab, 'node1', etcdctl(lab, 'put', foreignKey, JSON.stringify(claimOfAnother)));
  job = await startBatch(lab, `COUNT=${attacks.length}${script}`, { sbatch: ['-N2', '-n2', '--nodelist=node1,node2'] });
});

const claimOfAnother = { job: '999999', token: 'f'.repeat(32), since: new Date().toISOString(), index: 4095 };

afterAll(async () => {
  await mustRun(lab, 'node1', etcdctl(lab, 'del', foreignKey));
  for (const host of ['node1', 'node2']) await inHostDocker(lab, host, 'image', 'rm', 'secret/x:1');
  expect((await job.end()).state).toBe('COMPLETED');
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

async function isThere(name: string): Promise<true | string> {
  const listed = await mustRun(lab, 'node1', ['ls', job.directory]);
  return listed.split('\n').includes(name) || `seen: ${listed.replaceAll('\n', ' ')}`;
}

async function runWith(index: number, change: Change): Promise<string> {
  await until(`opened.${index}`, 30_000, async () => await isThere(`opened.${index}`));
  const key = `/${job.id}/PLAN`;
  const plan = JSON.parse(await mustRun(lab, 'node1', etcdctl(lab, 'get', '--print-value-only', key))) as JobPlan;
  await mustRun(lab, 'node1', etcdctl(lab, 'put', key), JSON.stringify(change(plan)));
  await writeLabFile(lab, `${job.directory}/go.${index}`, '', 'alice');
  await until(`done.${index}`, 60_000, async () => await isThere(`done.${index}`));
  const parts = ['nodes', 'events'].map((name) => `${job.directory}/${name}.${index}`);
  return await mustRun(lab, 'node1', ['cat', ...parts]);
}

describe('a host has the last word', () => {
  it.each(attacks.map((attack, index) => ({ ...attack, index })))(
    'when the plan is changed: $what',
    async ({ index, change, shows, runs }) => {
      const text = await runWith(index, change);
      for (const expected of shows) expect(text).toMatch(expected);
      // Of a refused node nothing of the user's runs, anywhere.
      if (runs === undefined) expect(text).not.toContain('uid=');
      if (runs === undefined) expect(text).toContain('"event":"finished"');
    },
  );
});
