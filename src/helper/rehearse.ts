import { parseSite } from '../config/parse-site.ts';
import { connectEngine } from '../docker/connect-engine.ts';
import { connectEtcd } from '../etcd/connect-etcd.ts';
import { hostCommands } from './host/host-commands.ts';
import { requireJobKey } from '../contract/job-key.ts';
import { JobStore } from './job/job-store.ts';
import { followControl } from './node/follow-control.ts';
import { claimSubnet } from './job/claim-subnet.ts';
import { jobPlanSchema } from '../contract/job-plan.ts';
import { jobRequestSchema } from '../contract/job-request.ts';

/** Partners that answer as etcd and Docker do; see scripts/rehearsal-stage.ts. */
interface Places {
  readonly etcd: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly dockerSocket: string;
}

/**
 * What every start of a node does, once, at build time: the build keeps the code that this run has compiled. Never
 * runs in an installation: the launcher passes no such variable on.
 */
export async function rehearse(placesText: string): Promise<void> {
  const places = JSON.parse(placesText) as Places;
  const site = parseSite('version: 1\nmounts:\n  allowed:\n    - source: /scratch\n');
  const job = requireJobKey('1');
  jobPlanSchema.safeParse({});
  jobRequestSchema.safeParse({});
  const engine = connectEngine({ socketPath: places.dockerSocket });
  await engine.findImage('a:1');
  await engine.findContainers({ 'hpcdj.job': job });
  const store = connectEtcd({
    endpoints: [places.etcd],
    ca: Buffer.from(places.ca),
    cert: Buffer.from(places.cert),
    key: Buffer.from(places.key),
    callTimeoutMs: site.etcd.callTimeoutMs,
  });
  const over = new AbortController();
  const followed = followControl(new JobStore({ store, prefix: '' }, job), '0', over.signal);
  const lease = await store.grantLease(site.etcd.leaseTtlSeconds);
  await store.commit({
    conditions: [{ kind: 'absent', key: '/1/PLAN' }],
    puts: [{ key: '/1/FINISH', value: 'FALSE', lease }],
  });
  const { pool, prefixLength } = site.network;
  await claimSubnet(store, { prefix: '', pool, prefixLength, job, token: '0' });
  await lease.revoke();
  followed.stop();
  await store.close();
  await hostCommands({ commandPath: '/usr/bin:/bin' }).run('nsenter', ['--version']);
}
