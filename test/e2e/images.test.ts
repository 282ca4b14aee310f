import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { hostPaths, sharedPaths } from '../../lab/layout.ts';
import { labRegistry, labRegistryEntry, provideRegistry, pushImage, registryLog } from '../../lab/registry.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { cancelJob, findLastingLeftovers, startBatch } from '../support/e2e-jobs.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { changeSite } from '../support/e2e-site.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry, FakeRegistryOptions } from '../support/fake-registry.ts';
import { until } from '../support/until.ts';

let lab: Lab;
let password: string;
const undo = new AsyncDisposableStack();
const image = `${labRegistry}/hpc/mpi:1`;
const commit = 'hpcdj-e2e/mpi:fetched';

beforeAll(async () => {
  lab = await e2eLab();
  password = await provideRegistry(lab);
  await pushDerived();
});
afterAll(async () => {
  await undo.disposeAsync();
  for (const { name } of lab.nodes) await forgetImages(name);
});
beforeEach(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

/** The lab's MPI image with a layer of its own, which no host has: as an image that was made somewhere else. */
async function pushDerived(): Promise<void> {
  const [node] = lab.nodes;
  if (node === undefined) throw new Error('The lab has no node.');
  const script = `set -e
id=$(docker create lab/mpi:1 true)
trap 'docker rm "$id" >/dev/null' EXIT
head -c 3000000 /dev/urandom >/tmp/layer
docker cp /tmp/layer "$id:/layer"
docker commit "$id" "$1" >/dev/null
rm /tmp/layer`;
  await mustRun(lab, node.name, ['bash', '-c', script, 'commit', commit]);
  await pushImage(node, commit, image);
  await mustRun(lab, node.name, ['docker', 'image', 'rm', commit]);
}

async function forgetImages(host: string): Promise<void> {
  const script = `docker image ls --format '{{.Repository}} {{.ID}}' | sed -n 's/^head:[^ ]* //p' | sort -u | xargs -r docker image rm --force >/dev/null
rm -rf /etc/docker/certs.d/head:*`;
  await mustRun(lab, host, ['bash', '-c', script]);
}

const listImages = async (host: string): Promise<string> =>
  await mustRun(lab, host, ['docker', 'image', 'ls', '--digests', '--format', '{{.Repository}}:{{.Tag}}@{{.Digest}}']);

/** Lets the site fetch; `registries` besides the lab's own. */
async function allowFetching(
  pull: 'missing' | 'newer',
  registries: readonly object[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<AsyncDisposable> {
  const allowed = ['lab/*', 'hpc/*', ...registries.map((entry) => `${(entry as { host: string }).host}/**`)];
  return await changeSite(lab, { images: { pull, registries, allowed, ...more } });
}

/** A registry on the head that does as it is told, by the lab's certificate. */
async function breakableRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const { secrets } = sharedPaths(lab.layout);
  const at = {
    ...{ name: 'head', address: lab.head.address },
    ...{ certificateFile: `${secrets}/head.pem`, keyFile: `${secrets}/head-key.pem` },
  };
  return await startFakeRegistry({ pid: lab.head.initPid }, { at, hasShell: true, layerBytes: 2_000_000, ...options });
}

const entryOf = ({ repository }: FakeRegistry) => ({
  host: repository.split('/')[0] ?? '',
  caFile: labRegistryEntry.caFile,
});

interface Outcome {
  readonly endedBy: string;
  readonly exitStatus: number;
  readonly imageDigest?: string;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

const outcomeOf = (text: string): Outcome => JSON.parse(text) as Outcome;

describe('images of a registry', () => {
  it('come to three hosts that lack them, once to each, and run; secrets are nowhere', async () => {
    await using _site = await allowFetching('missing', [labRegistryEntry]);
    const job = await runBatch(
      lab,
      `hpc-submit-dockerjob --json=outcome.json --image ${image} -- mpirun -np 3 sh -c 'test -e /layer && echo here $(hostname)'`,
    );
    expect(job, job.stderr).toMatchObject({ state: 'COMPLETED' });
    expect(job.stdout.match(/here \d+-node-[012]/g)).toHaveLength(3);
    expect(job.stderr).toMatch(/fetching +the image comes from its registry .*3 of 3 hosts have it/);
    const outcome = outcomeOf(await mustRun(lab, 'node1', ['cat', `${job.directory}/outcome.json`]));
    expect(outcome.imageDigest).toMatch(/^head:5000\/hpc\/mpi@sha256:[0-9a-f]{64}$/);
    const pinned = outcome.imageDigest ?? '';
    for (const { name } of lab.nodes) expect(await listImages(name)).toContain(pinned.replace('@', ':<none>@'));
    const manifests = (await readFile(registryLog(lab), 'utf8'))
      .split('\n')
      .filter(
        (line) => line.includes(`GET /v2/hpc/mpi/manifests/${pinned.split('@')[1] ?? ''}`) && line.includes(' 200 '),
      );
    expect(new Set(manifests.map((line) => line.split(' ')[0]))).toEqual(
      new Set(lab.nodes.map(({ address }) => address)),
    );
    const explained = await execOnHost(lab, 'node2', {
      ...{ user: 'alice', argv: ['hpc-submit-dockerjob', 'explain', '--json', '--image', pinned, '--', 'true'] },
      cwd: '/scratch/alice',
    });
    expect(JSON.parse(explained.stdout)).toMatchObject({
      image: { reference: pinned, isPresent: true, digest: pinned, platform: 'linux/amd64' },
    });
    await expectNoSecret([job.stdout, job.stderr, JSON.stringify(outcome)]);
  });

  it('that need credentials which the site does not have, or that are on docker.io, are refused in words', async () => {
    const { host, caFile } = labRegistryEntry;
    await using stranger = await breakableRegistry();
    const untrusted = { host: entryOf(stranger).host };
    await using _site = await allowFetching('missing', [{ host, caFile }, untrusted, { host: 'docker.io' }], {
      allowed: ['**', `${labRegistry}/**`, `${untrusted.host}/**`],
    });
    const job = await runBatch(
      lab,
      `hpc-submit-dockerjob --json=one.json --image ${labRegistry}/hpc/private:1 -- true; echo status $?
hpc-submit-dockerjob --json=two.json --image debian:12 -- true; echo status $?
hpc-submit-dockerjob --image ${stranger.repository} -- true; echo status $?`,
      { sbatch: ['-N1', '-n1'] },
    );
    expect(job.stdout.trim()).toBe('status 69\nstatus 65\nstatus 69');
    expect(job.stderr).toMatch(
      /Image head:5000\/hpc\/private:1 could not be looked up from host node\d: head:5000 asks for credentials.*credentialsFile.*\[REGISTRY_UNUSABLE\]/,
    );
    expect(job.stderr).toMatch(
      /Image debian:12 is not present on host node\d, and is not fetched: no entry .* spells docker\.io\/ out.*\[IMAGE_NOT_PRESENT\]/,
    );
    expect(job.stderr).toMatch(/the Docker Engine does not trust head:\d+ .*caFile.*\[REGISTRY_UNUSABLE\]/);
  });

  it('are of one digest on all hosts of two jobs that fetch at once, though the tag moves meanwhile', async () => {
    await using registry = await breakableRegistry();
    registry.break({ of: 'blob', bytesPerSecond: 800_000 });
    await using _site = await allowFetching('newer', [entryOf(registry)], {});
    const script = `exec hpc-submit-dockerjob --json=outcome.json --image ${registry.repository}:latest -- /bin/sh -c 'echo done'`;
    const jobs = await Promise.all([startBatch(lab, script), startBatch(lab, script, { user: 'bob' })]);
    await Promise.all(jobs.map(async (job) => await job.shows('fetching')));
    registry.moveTag();
    for (const job of jobs) {
      const ended = await job.end();
      expect(ended, ended.stderr).toMatchObject({ state: 'COMPLETED', stdout: 'done\n' });
      expect(outcomeOf(await job.read('outcome.json')).imageDigest).toBe(`${registry.repository}@${registry.digest}`);
    }
    for (const { name } of lab.nodes) {
      const found = (await listImages(name)).split('\n').filter((line) => line.startsWith(registry.repository));
      expect(found).toEqual([`${registry.repository}:<none>@${registry.digest}`]);
    }
    // The image of the jobs again, though the tag means another one.
    const pinned = `${registry.repository}@${registry.digest}`;
    const again = await runBatch(lab, `exec hpc-submit-dockerjob --json --image ${pinned} -- /bin/sh -c true`, {
      sbatch: ['-N1', '-n1'],
    });
    expect(outcomeOf(again.stdout)).toMatchObject({ exitStatus: 0, imageDigest: pinned });
    // One transfer for both jobs of a host.
    const layers = (await registry.requests()).filter((request) =>
      request.startsWith(`GET /v2/app/blobs/${registry.layerDigest}`),
    );
    expect(layers).toHaveLength(lab.nodes.length);
  });

  it('do not come when the job is cancelled, and nothing half stays; hosts that wait are not late', async () => {
    await using registry = await breakableRegistry();
    registry.break({ of: 'blob', bytesPerSecond: 100_000 });
    await using _site = await allowFetching('missing', [entryOf(registry)]);
    // Longer than the start may last.
    await using _quick = await changeSite(lab, { deadlines: { startSeconds: 2 } });
    const job = await startBatch(
      lab,
      `exec hpc-submit-dockerjob --json=outcome.json --image ${registry.repository}:latest -- true`,
    );
    await job.shows('fetching');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await job.state()).toMatchObject({ state: 'RUNNING' });
    await cancelJob(lab, job.id);
    const ended = await job.end(20_000);
    expect(ended.state).toBe('CANCELLED');
    expect(await findLastingLeftovers(lab)).toEqual([]);
    for (const node of lab.nodes) {
      expect(await listImages(node.name)).not.toContain(registry.repository);
      const halves = `${hostPaths(lab.layout, node).docker}/tmp`;
      await until(`the end of the half blob on ${node.name}`, 10_000, async () => {
        const found = await mustRun(lab, node.name, ['ls', '/var/lib/docker/tmp']);
        return found.trim() === '' || `${halves}: ${found}`;
      });
    }
  });

  it('that a host cannot get for good end the job with host, image and remedy', async () => {
    await using registry = await breakableRegistry();
    registry.break({ of: 'blob', bytesPerSecond: 10_000 });
    await using _site = await allowFetching('missing', [entryOf(registry)], { fetchSeconds: 3 });
    const job = await runBatch(
      lab,
      `exec hpc-submit-dockerjob --json=outcome.json --image ${registry.repository}:latest -- true`,
    );
    const { exitStatus, error } = outcomeOf(await mustRun(lab, 'node1', ['cat', `${job.directory}/outcome.json`]));
    expect({ exitStatus, code: error?.code }).toEqual({ exitStatus: 75, code: 'IMAGE_NOT_FETCHED' });
    expect(error?.message).toMatch(
      new RegExp(
        `on host node\\d: image ${registry.repository}@sha256:\\w+ could not be fetched: it was not here after 3 s`,
      ),
    );
    expect(error?.hint ?? error?.message).toContain('Safe to submit again');
  });
});

/** Of the site's registry, in whatever a job leaves, and in what anybody on a host can look at. */
async function expectNoSecret(texts: readonly string[]): Promise<void> {
  const encoded = Buffer.from(`site:${password}`).toString('base64');
  const hasSecret = (text: string): boolean => [password, encoded].some((secret) => text.includes(secret));
  expect(texts.filter(hasSecret)).toEqual([]);
  // Of the store all that it has ever held, as long as it was not compacted.
  const kept = 'grep -rlsFf - /var/lib/etcd /var/log /run || :';
  expect(await mustRun(lab, 'head', ['bash', '-c', kept], `${password}\n${encoded}\n`)).toBe('');
  for (const node of lab.nodes) {
    const logs = hostPaths(lab.layout, node).log;
    const found = await mustRun(
      lab,
      node.name,
      ['bash', '-c', 'grep -rlsFf - /var/log /run /tmp /scratch /proc/[0-9]*/cmdline /proc/[0-9]*/environ || :'],
      `${password}\n${encoded}\n`,
    );
    expect(found).toBe('');
    expect(hasSecret(await readFile(`${logs}/dockerd.log`, 'utf8'))).toBe(false);
    const inspected = await mustRun(lab, node.name, ['sh', '-c', 'docker image inspect $(docker image ls --quiet)']);
    expect(hasSecret(inspected)).toBe(false);
  }
}
