import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainRequest } from '../../../../src/middleware/policy/explain-request.ts';
import type { ExplainOptions } from '../../../../src/middleware/policy/explain-request.ts';
import { explanationJson, renderExplanation } from '../../../../src/middleware/policy/show-explanation.ts';

const siteText = `
version: 1
images:
  allowed:
    - lab/*
    - { image: "nogroup/*", groups: [nogroup] }
    - { image: "number/*", users: ["65534"] }
    - { image: "other/*", users: [alice], groups: [nogroup] }
    - { image: "gpu/*", partitions: [gpu] }
applications:
  "solver:1": { image: "hpc/solver:1", mounts: [/sw], environment: {A: "1"}, hostfile: machines, maxRunSeconds: 60 }
mounts: { allowed: [{ source: /scratch }, { source: /sw, target: /opt/sw, readOnly: true, always: false }] }
container: { passEnvironment: [TZ] }
`;

describe('explain', () => {
  let config = '';
  beforeAll(async () => {
    config = join(await mkdtemp(join(tmpdir(), 'hpcdj-explain-')), 'site.yaml');
    await writeFile(config, siteText);
  });
  afterAll(async () => await rm(join(config, '..'), { recursive: true, force: true }));

  /** Tests run as root, which may ask for another user; `nobody` is on every Debian, in one group. */
  async function explain(options: ExplainOptions, environment: NodeJS.ProcessEnv = {}): Promise<Document> {
    const asked = { config, user: 'nobody', workdir: '/scratch/x', ...options };
    const explanation = await explainRequest(asked, ['mpirun', 'a b'], environment, '/');
    const text = renderExplanation(explanation);
    return { ...(JSON.parse(explanationJson(explanation)) as Omit<Document, 'text'>), text };
  }
  interface Document {
    readonly verdict: string;
    readonly rule: string | null;
    readonly text: string;
    readonly container: { readonly HostConfig: Readonly<Record<string, unknown>> };
    readonly unknown: readonly { readonly part: string; readonly meaning: string }[];
  }

  it.each<[string, ExplainOptions, string]>([
    ['an image for all', { image: 'lab/x' }, 'allowed images.allowed "lab/*"'],
    ['a user by number', { image: 'number/x' }, 'allowed images.allowed "number/*"'],
    ['the same asked for by number', { image: 'number/x', user: '65534' }, 'allowed images.allowed "number/*"'],
    ['the primary group', { image: 'nogroup/x' }, 'allowed images.allowed "nogroup/*"'],
    ['another user', { image: 'other/x' }, 'refused images.allowed "other/*".users'],
    ['a partition', { image: 'gpu/x', partition: 'gpu' }, 'allowed images.allowed "gpu/*"'],
    ['it in the other word', { image: 'gpu/x', queue: 'gpu' }, 'allowed images.allowed "gpu/*"'],
    ['no partition', { image: 'gpu/x' }, 'refused images.allowed "gpu/*".partitions'],
    ['two of them', { image: 'gpu/x', queue: 'a', partition: 'b' }, 'refused USAGE'],
    ['an empty one', { image: 'gpu/x', queue: '' }, 'refused USAGE'],
    ['an application', { application: 'solver:1' }, 'allowed applications."solver:1".image'],
    ['root', { image: 'lab/x', user: 'root' }, 'refused NOT_PERMITTED'],
    ['root that names nobody', { image: 'lab/x', user: String(process.getuid?.()) }, 'refused NOT_PERMITTED'],
    ['an unknown user', { image: 'lab/x', user: 'no-such-user' }, 'refused HOST_UNFIT'],
    ['an unknown number', { image: 'lab/x', user: '399999' }, 'refused HOST_UNFIT'],
    ['more hosts than a site without a store has', { image: 'lab/x', hosts: 2 }, 'refused etcd.endpoints'],
    [
      'more mounts than a request may have',
      { image: 'lab/x', mount: Array<string>(65).fill('/sw') },
      'refused REQUEST_INVALID',
    ],
    ['a workdir of another form', { image: 'lab/x', workdir: '/scratch/a\nb' }, 'refused REQUEST_INVALID'],
    ['no policy', { image: 'lab/x', config: '/no/such/file' }, 'refused CONFIG_INVALID'],
  ])('judges %s', async (_, options, verdict) => {
    const document = await explain(options);
    const code = 'code' in document ? String(document.code) : '';
    expect(`${document.verdict} ${document.rule ?? code}`).toBe(verdict);
    expect(document.text).toContain(document.verdict);
    if (document.rule !== null) expect(document.text).toContain(`[site.yaml ${document.rule}]`);
  });

  it('gives programs the container in the words of the Docker Engine, and says what is not known yet', async () => {
    const document = await explain({ application: 'solver:1', shmSize: '8m', env: ['B=2'] }, { TZ: 'UTC', LANG: 'C' });
    expect(document).toMatchObject({
      ...{ exitStatus: 0, queue: null, hosts: 1, workdir: '/scratch/x', hostfile: 'machines' },
      user: { name: 'nobody', uid: 65534 },
      command: ['mpirun', 'a b'],
      environment: { TZ: 'UTC', A: '1', B: '2' },
      container: {
        ...{ name: 'hpcdj-<job>-node-0', Image: '<image-id>', User: '65534:65534', WorkingDir: '/' },
        Labels: { 'hpcdj.run-until': '<end>' },
        HostConfig: {
          ...{ Privileged: false, CapDrop: ['ALL'], CapAdd: [], IpcMode: 'private', ShmSize: 8 * 1024 ** 2 },
          ...{ CgroupParent: '<cgroup>', NetworkMode: 'none', PidsLimit: 4096 },
        },
      },
    });
    expect(document.container.HostConfig['Mounts']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ Source: '/scratch', Target: '/scratch', ReadOnly: false }),
        expect.objectContaining({ Source: '/sw', Target: '/opt/sw', ReadOnly: true }),
      ]),
    );
    const placeholders = JSON.stringify(document.container).match(/<[a-z-]+>/g) ?? [];
    for (const placeholder of placeholders) expect(document.unknown.map(({ part }) => part)).toContain(placeholder);
  });

  it('shows people the container, an argument with a blank in quotes', async () => {
    const { text } = await explain({ image: 'lab/x' });
    expect(text).toMatch(/^allowed for nobody \(uid 65534; groups nogroup; no partition or queue named\)\n/);
    expect(text).toMatch(/command: mpirun 'a b' {3}\[directly, no shell\]/);
    expect(text).toMatch(/not privileged, capabilities dropped: ALL, no new privileges, seccomp hpc-v1, no devices/);
    expect(text).toMatch(/mount \/scratch at \/scratch, writable/);
    expect(text).not.toMatch(/OF THE HOST|PRIVILEGED/);
  });
});
