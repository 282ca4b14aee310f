/** The attacker wants to be somebody else for the helper: root, or the user whose job it is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { findLastingLeftovers, startVictim, tryAs } from '../support/e2e-jobs.ts';
import { e2eLab } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;

let lab: Lab;
let bob: BatchJob;

beforeAll(async () => {
  lab = await e2eLab();
  bob = await startVictim(lab, ['node1', 'node2']);
});

afterAll(async () => {
  await mustRun(lab, 'node1', ['touch', `${bob.directory}/over`]);
  const { exitCode, stdout } = await bob.end();
  expect([exitCode, stdout]).toEqual(['0:0', 'running\nwhole\n']);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

/** Runs as alice in a directory of hers that holds a link to the helper; `$h` is the link. */
async function asAlice(link: string, command: string): ReturnType<typeof tryAs> {
  const script = `h=$1; mkdir -p "\${h%/*}" && ln -sfn ${helper} "$h" && ${command}`;
  return await tryAs(lab, 'node1', 'alice', 'bash', '-c', script, 'attack', link);
}

describe('becoming root by the name of the helper', () => {
  const links = ['a b', 'a\nb', 'a\tb', ' ', 'é\u2028', '--', 'root'].map(
    (name) => `/home/alice/links/${name}/hpc-dockerjob-helper`,
  );

  it.each(links.flatMap((link) => ['suspend', 'stop'].map((action) => [link, action])))(
    'by a link %j is still alice: control-job %s',
    async (link, action) => {
      const { exitCode, text } = await asAlice(link, `sudo -n "$h" control-job ${bob.id} ${action}`);
      expect([exitCode, text]).toEqual([77, expect.stringContaining('[JOB_NOT_YOURS]')]);
    },
  );

  it('by a shell that sudo never ran is still alice', async () => {
    const call = `exec -a /bin/bash sudo -n "$h" release-job ${bob.id}`;
    const { exitCode, text } = await asAlice(links[0]!, call);
    expect([exitCode, text]).toEqual([77, expect.stringContaining('[JOB_NOT_YOURS]')]);
  });

  it.each(['SUDO_UID=0', 'SUDO_COMMAND=/bin/bash', 'HPCDJ_HELPER=/x', 'SUDO_USER=root'])(
    'by a variable is still alice: %s',
    async (variable) => {
      const call = `env '${variable}' sudo -n ${helper} release-job ${bob.id}`;
      const { exitCode, text } = await asAlice(links[0]!, call);
      expect([exitCode, text]).toEqual([77, expect.stringContaining('[JOB_NOT_YOURS]')]);
    },
  );

  it('by leaving the helper without a parent is still alice', async () => {
    const said = '/home/alice/links/said';
    const call = `rm -f ${said}; (setsid sh -c 'sudo -n "$0" release-job ${bob.id} >${said}.new 2>&1; echo "status $?" >>${said}.new; mv ${said}.new ${said}' "$h" &); for i in $(seq 100); do [ -e ${said} ] && break; sleep 0.1; done; cat ${said}`;
    const { text } = await asAlice(links[0]!, call);
    expect(text).toContain('[JOB_NOT_YOURS]');
    expect(text).toContain('status 77');
  });
});

describe('taking over a node of another user', () => {
  const run = 'run-node "$job" 0123456789abcdef';

  it.each([
    ['by the usual path', helper],
    ['by a link with a blank', '/home/alice/links/a b/hpc-dockerjob-helper'],
  ])('is refused %s, whatever is known of the launch', async (_, link) => {
    const seen = await mustRun(lab, 'node1', [
      'sh',
      '-c',
      `pgrep -fa -- "helper.cjs run-node ${bob.id} " | sed 's/.*run-node [0-9]* //'`,
    ]);
    const launch = seen.trim().split('\n')[0];
    expect(launch).toMatch(/^[0-9a-f]{16}$/);
    const script = `job=$1; mkdir -p "\${3%/*}"; [ -e "$3" ] || ln -sfn ${helper} "$3"; sudo -n "$3" ${run.replace('0123456789abcdef', '"$2"')}`;
    const { exitCode, text } = await tryAs(
      ...([lab, 'node1', 'alice', 'bash', '-c', script, 'attack', bob.id, launch!, link] as const),
    );
    expect([exitCode, text]).toEqual([77, expect.stringContaining('[JOB_NOT_YOURS]')]);
  });

  it('is refused to root as well: no administrator’s shell can be made to run a part of a job', async () => {
    const { exitCode, text } = await tryAs(lab, 'node1', 'root', helper, 'run-node', bob.id, '0123456789abcdef');
    expect([exitCode, text]).toEqual([77, expect.stringContaining('[NOT_PERMITTED]')]);
  });
});

describe('an administrator', () => {
  it('whose root shell was opened by sudo is told how to be root', async () => {
    const { exitCode, text } = await tryAs(lab, 'node1', 'root', 'env', 'SUDO_UID=2001', helper, 'reap');
    expect(exitCode).toBe(77);
    expect(text).toContain('with sudo once more');
    expect((await tryAs(lab, 'node1', 'root', 'env', 'SUDO_UID=2001', 'sudo', '-n', helper, 'reap')).exitCode).toBe(0);
  });
});
