/** The public contract of the keys: what etcd holds while a job runs, and that nothing of it is left afterwards. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { etcdctl } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import { findLastingLeftovers, inMpi, startBatch } from '../support/e2e-jobs.ts';
import { until } from '../support/until.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';

interface Entry {
  readonly value: string;
  readonly hasLease: boolean;
}

let lab: Lab;
let job: BatchJob;
let entries: ReadonlyMap<string, Entry>;
const publicKey = /^ssh-ed25519 [A-Za-z0-9+/]{68}$/;

beforeAll(async () => {
  lab = await e2eLab();
  job = await startBatch(lab, `${inMpi} sh -c 'echo running; while [ ! -e over ]; do sleep 0.2; done'`);
  await job.shows('running', 'out');
  await until('PHASE running of all nodes', 5000, async () => {
    entries = await readEntries();
    const phases = [...entries].filter(([key]) => key.endsWith('/PHASE')).map(([, { value }]) => value);
    return (phases.length === 3 && phases.every((phase) => phase === 'running')) || phases.join(' ');
  });
});

afterAll(async () => {
  await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
  expect((await job.end()).state).toBe('COMPLETED');
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

async function readEntries(): Promise<ReadonlyMap<string, Entry>> {
  const text = await mustRun(lab, 'node1', etcdctl(lab, 'get', '--prefix', '', '--write-out=json'));
  const { kvs = [] } = JSON.parse(text) as { kvs?: { key: string; value?: string; lease?: number }[] };
  const decode = (base64 = ''): string => Buffer.from(base64, 'base64').toString();
  return new Map(
    kvs.map(({ key, value, lease }) => [decode(key), { value: decode(value), hasLease: lease !== undefined }]),
  );
}

const valueOf = (key: string): string => entries.get(`/${job.id}/${key}`)?.value ?? '(absent)';

interface Plan {
  readonly nodes: readonly { readonly ip: string; readonly host: string }[];
  readonly network: { readonly cidr: string };
  readonly token: string;
}

const readPlan = (): Plan => JSON.parse(valueOf('PLAN')) as Plan;

describe('while a job runs etcd holds', () => {
  it('exactly the documented keys', () => {
    const subnet = readPlan().network.cidr.replace('/', '_');
    const ofNodes = [0, 1, 2].flatMap((n) =>
      ['CLAIM', 'HOST', 'HOSTKEY', 'IP', 'PHASE', 'READY', 'SSHPUBKEY'].map(
        (field) => `/${job.id}/${job.id}_node_${n}/${field}`,
      ),
    );
    const ofJob = ['FINISH', 'KEEPER', 'PLAN', 'ROSTER', 'RUN', 'START'].map((field) => `/${job.id}/${field}`);
    expect([...entries.keys()].toSorted()).toEqual([`/.site/subnets/${subnet}`, ...ofNodes, ...ofJob].toSorted());
  });

  it('the documented values', () => {
    expect(valueOf('FINISH')).toBe('FALSE');
    expect(valueOf('START')).toBe('TRUE');
    const plan = readPlan();
    expect(plan).toMatchObject({
      version: 1,
      job: job.id,
      schedulerJobId: job.id,
      user: { name: 'alice', uid: 2001, gid: 2001 },
      image: { reference: 'lab/mpi:1' },
      workdir: job.directory,
      network: { driver: 'vxlan' },
    });
    const roster = JSON.parse(valueOf('ROSTER')) as readonly Record<string, unknown>[];
    expect(roster).toHaveLength(3);
    for (const [n, node] of plan.nodes.entries()) {
      const of = (field: string): string => valueOf(`${job.id}_node_${n}/${field}`);
      expect(of('IP')).toBe(node.ip);
      expect(of('HOST')).toBe(`node${n + 1}`);
      expect(of('CLAIM')).toMatch(/^[0-9a-f]{32}$/);
      expect(of('READY')).toBe('True');
      expect(of('PHASE')).toBe('running');
      expect(of('SSHPUBKEY')).toMatch(publicKey);
      expect(of('HOSTKEY')).toMatch(publicKey);
      expect(roster[n]).toMatchObject({
        index: n,
        hostname: `${job.id}-node-${n}`,
        ip: node.ip,
        sshPublicKey: of('SSHPUBKEY'),
        hostPublicKey: of('HOSTKEY'),
      });
    }
    const claim = entries.get(`/.site/subnets/${plan.network.cidr.replace('/', '_')}`);
    expect(JSON.parse(claim?.value ?? '')).toMatchObject({ job: job.id, token: plan.token });
  });

  it('a lease under what must vanish with its program, and under nothing else', () => {
    const leased = [...entries].filter(([, { hasLease }]) => hasLease).map(([key]) => key);
    const expected = [
      `/${job.id}/FINISH`,
      `/${job.id}/KEEPER`,
      ...[0, 1, 2].map((n) => `/${job.id}/${job.id}_node_${n}/PHASE`),
    ];
    expect(leased.toSorted()).toEqual(expected.toSorted());
  });

  it('no private key', () => {
    for (const { value } of entries.values()) expect(value).not.toContain('PRIVATE');
  });
});
