/** One policy: what `explain` says, what becomes of the job, and what `policy test` says, by the same rule. */
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { mustRun, writeLabFile } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, jobDirectory, runBatch } from '../support/e2e-lab.ts';
import { inHostDocker, startBatch } from '../support/e2e-jobs.ts';
import { readScratchFile } from '../support/lab-job.ts';
import { changeSite } from '../support/e2e-site.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});

const call = 'hpc-submit-dockerjob';
const site = {
  images: {
    allowed: [
      { image: 'lab/mpi', groups: ['cfd'] },
      { image: 'lab/tiny:1', partitions: ['lab'] },
      { image: 'lab/tiny:2', partitions: ['gpu'] },
    ],
  },
  applications: {
    'own:1': { image: 'lab/tiny:1', users: ['2001'] },
    'others:1': { image: 'lab/tiny:1', groups: ['2001'], mounts: ['/home'] },
  },
};

/** What is asked for, and who may have it: the rule for each of the two users. */
const requests = [
  ['an image for a group', '--image lab/mpi:1', 'images.allowed "lab/mpi"'],
  ['an image for this partition', '--image lab/tiny:1', 'images.allowed "lab/tiny:1"'],
  ['an image for another partition', '--image lab/tiny:2', 'images.allowed "lab/tiny:2".partitions'],
  ['an application for a user by number', '--application own:1', 'applications."own:1".image'],
  ['an application for a primary group by number', '--application others:1', 'applications."others:1".image'],
  ['a mount that nobody may have', '--image lab/tiny:1 --mount //etc', 'mounts.allowed'],
  ['too much shared memory', '--image lab/tiny:1 --shm-size 17g', 'container.shmMaxBytes'],
] as const;

interface Word {
  readonly verdict?: string;
  readonly rule: string | null;
  readonly code?: string;
  readonly queue?: string;
  readonly exitStatus: number;
}

/** The engine leaves out what is false, and adds numbers that are 0. */
function withoutFalse(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutFalse);
  if (typeof value !== 'object' || value === null)
    return value === false || value === 0 ? undefined : (value ?? undefined);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutFalse(inner)]));
}

describe('one policy', () => {
  it('gives explain, the job and policy test the same verdict and rule, for each user', async () => {
    await using _ = await changeSite(lab, site);
    const directory = jobDirectory();
    const script = requests
      .map(
        ([, options], index) => `
${call} explain --json ${options} -- true > explain-${index} 2> told-${index}
echo "${index} $?"
${call} --quiet --json=outcome-${index} ${options} -- true 2> error-${index}
echo "${index} $?"`,
      )
      .join('\n');
    const { stdout } = await runBatch(lab, script, { directory, sbatch: ['-N1', '-n1'], deadlineMs: 180_000 });
    const statuses = stdout.trim().split('\n');
    const read = async (name: string): Promise<unknown> =>
      JSON.parse((await readScratchFile(lab, `${directory}/${name}`)).toString());
    const words: Word[] = [];
    for (const [index, [name, , rule]] of requests.entries()) {
      const explained = (await read(`explain-${index}`)) as Word;
      const outcome = (await read(`outcome-${index}`)) as {
        readonly exitStatus: number;
        readonly error?: { readonly rule?: string; readonly code: string };
      };
      expect.soft(explained, name).toMatchObject({ rule, queue: 'lab' });
      expect.soft(explained.verdict, name).toBe(outcome.error === undefined ? 'allowed' : 'refused');
      if (outcome.error !== undefined)
        expect.soft(outcome.error, name).toMatchObject({ rule, code: explained.code ?? '' });
      expect
        .soft(statuses.slice(2 * index, 2 * index + 2), name)
        .toEqual(Array<string>(2).fill(`${index} ${explained.exitStatus}`));
      words.push(explained);
    }
    // The same, and for bob as well, as cases of the site; asked for by root, and by alice of herself alone.
    const cases = ['alice', 'bob'].flatMap((user) =>
      requests.map(([name, options]) => ({
        name: `${user}: ${name}`,
        user,
        options: options.split(' '),
        expect: 'allowed',
      })),
    );
    await writeLabFile(lab, `${directory}/cases.yaml`, stringify({ defaults: { partition: 'lab' }, cases }), 'alice');
    const asAlice = { user: 'alice' } as const;
    const test = await execOnHost(lab, 'node1', {
      ...asAlice,
      argv: [call, 'policy', 'test', '--json', `${directory}/cases.yaml`],
    });
    const { cases: judged } = JSON.parse(test.stdout) as { readonly cases: readonly Word[] };
    expect(judged.slice(0, requests.length).map(({ verdict, rule }) => ({ verdict, rule }))).toEqual(
      words.map(({ verdict, rule }) => ({ verdict, rule })),
    );
    expect(test.exitCode).toBe(77);
    for (const [index, [name, options]] of requests.entries()) {
      const asRoot = `${call} explain --json --user bob --partition lab --workdir /scratch/bob ${options} -- true 2>/dev/null || :`;
      const { verdict, rule } = JSON.parse(await mustRun(lab, 'node1', ['sh', '-c', asRoot])) as Word;
      expect.soft({ verdict, rule }, `bob: ${name}`).toEqual({
        verdict: judged[requests.length + index]?.verdict,
        rule: judged[requests.length + index]?.rule,
      });
    }
    const forBob = [call, 'explain', '--user', 'bob', '--image', 'lab/mpi:1', '--', 'true'];
    const other = await execOnHost(lab, 'node1', { ...asAlice, argv: forBob });
    expect(other.exitCode).toBe(77);
    expect(other.stderr).toContain('[NOT_PERMITTED]');
    expect(await findLeftovers(lab)).toEqual([]);
  });

  it('explains the very container that the engine is asked for', async () => {
    const directory = jobDirectory();
    const job = await startBatch(
      lab,
      `${call} explain --json --image lab/mpi:1 --shm-size 8m -- true > explained
${call} --quiet --image lab/mpi:1 --shm-size 8m -- sh -c 'echo up > up; while [ ! -e stop ]; do sleep 0.1; done'`,
      { directory, sbatch: ['-N1', '-n1', '-w', 'node1'] },
    );
    await expect
      .poll(async () => await readScratchFile(lab, `${directory}/up`).then(String, () => ''), { timeout: 60_000 })
      .toBe('up\n');
    const { container, unknown } = JSON.parse(String(await readScratchFile(lab, `${directory}/explained`))) as {
      readonly container: Readonly<Record<string, unknown>> & {
        readonly name: string;
        readonly HostConfig: Readonly<Record<string, unknown>>;
      };
      readonly unknown: readonly { readonly part: string }[];
    };
    const [made] = JSON.parse(await inHostDocker(lab, 'node1', 'inspect', container.name)) as readonly [
      { readonly Config: Readonly<Record<string, unknown>>; readonly HostConfig: Readonly<Record<string, unknown>> },
    ];
    await writeLabFile(lab, `${directory}/stop`, '', 'alice');
    expect(unknown.map(({ part }) => part)).not.toContain('<job>');
    for (const key of ['User', 'Hostname', 'Entrypoint', 'Cmd', 'WorkingDir', 'Healthcheck'])
      expect.soft(made.Config[key], key).toEqual(container[key]);
    const same = [
      'Privileged',
      'CapDrop',
      'IpcMode',
      'CgroupnsMode',
      'SecurityOpt',
      'Mounts',
      'Tmpfs',
      'ReadonlyRootfs',
    ];
    const more = [
      'ShmSize',
      'PidsLimit',
      'Dns',
      'Sysctls',
      'GroupAdd',
      'NetworkMode',
      'OomScoreAdj',
      'RestartPolicy',
      'Init',
    ];
    for (const key of [...same, ...more])
      expect.soft(withoutFalse(made.HostConfig[key]), key).toEqual(withoutFalse(container.HostConfig[key]));
    expect(made.HostConfig).toMatchObject({ PidMode: '', UsernsMode: '', Privileged: false });
    expect((await job.end()).state).toBe('COMPLETED');
    expect(await findLeftovers(lab)).toEqual([]);
  });
});
