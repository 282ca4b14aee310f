import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pbsAuthority } from '../../../src/pbs/pbs-authority.ts';
import { parseExecHost, readQstat } from '../../../src/pbs/read-qstat.ts';
import type { SchedulerAuthority } from '../../../src/ports/scheduler.ts';

/** Stands for qstat: prints what the documents and sources of OpenPBS and Torque say that it prints. No PBS was asked. */
let directory: string;
const { username: user, uid } = userInfo();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pbs-authority-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function authorityWith(script: string): Promise<SchedulerAuthority> {
  for (const name of ['qstat', 'pbsdsh']) {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, name), 0o755);
  }
  return pbsAuthority({ commandPath: directory });
}

/** As OpenPBS prints it, folded where it folds. */
function answer(facts: Readonly<Record<string, string>> = {}): string {
  const attributes = {
    Job_Name: 'job.sh',
    Job_Owner: `${user}@login.site`,
    job_state: 'R',
    queue: 'workq',
    server: 'srv.site',
    exec_host: 'n1/0*4+n2/0*2',
    exec_vnode: '(n1:ncpus=4)+\n\t(n2:ncpus=2)',
    'Resource_List.mem': '4gb',
    Variable_List: `PBS_O_HOME=/home/${user},PBS_O_LANG=C,\n\tPBS_O_WORKDIR=/scratch`,
    ...facts,
  };
  const { id = '12.srv', ...shown } = attributes as Record<string, string>;
  const lines = Object.entries(shown).map(([name, value]) => `    ${name} = ${value}`);
  return `Job Id: ${id}\n${lines.join('\n')}\n\n`;
}
const printing = (text: string): string => `cat <<'END'\n${text}END`;

describe('confirmJob', () => {
  const slots = (text: Record<string, number>) => ({ hosts: Object.keys(text), slots: new Map(Object.entries(text)) });

  it.each([
    ['OpenPBS', {}, { n1: 4, n2: 2 }],
    ['Torque', { exec_host: 'n1/0+n1/1+n2/0' }, { n1: 2, n2: 1 }],
    ['a later Torque', { exec_host: 'n2/0-3,5+n1/0' }, { n2: 5, n1: 1 }],
    ['a folded list', { exec_host: 'n1/0*4+\n\tn2/0*2' }, { n1: 4, n2: 2 }],
    ['a user who writes an account himself', { Variable_List: 'X=a\n    euser = root' }, { n1: 4, n2: 2 }],
  ])('reads an answer of %s', async (_, facts, hosts) => {
    const authority = await authorityWith(printing(answer(facts)));
    expect(await authority.confirmJob('12')).toEqual({
      ...{ job: '12', schedulerJobId: '12', uid, queue: 'workq' },
      ...slots(hosts),
    });
  });

  it('asks for an element of an array, never at a server that its id names', async () => {
    const authority = await authorityWith(`printf '%s\\n' "$@" >"$0.seen"; ${printing(answer({ id: '12[0].srv' }))}`);
    expect(await authority.confirmJob('12[0]')).toMatchObject({ job: '12_0', schedulerJobId: '12[0]' });
    expect(await readFile(join(directory, 'qstat.seen'), 'utf8')).toBe('-f\n12[0]\n');
    await expect(authority.confirmJob('12.forged.example')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it.each(['S', 'U'])('confirms a job that is suspended (%s)', async (state) => {
    expect(await (await authorityWith(printing(answer({ job_state: state })))).confirmJob('12')).toMatchObject({ uid });
  });

  it('says of a job that is exiting (E) that it is being ended', async () => {
    const authority = await authorityWith(printing(answer({ job_state: 'E' })));
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'TERMINATED' });
  });

  it.each(['Q', 'H', 'W', 'T', 'C', 'F', 'X', 'M', 'B', ''])('refuses a job that is %j', async (state) => {
    const authority = await authorityWith(printing(answer({ job_state: state })));
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it.each([
    ['OpenPBS', 'echo "qstat: Unknown Job Id 12.srv" >&2; exit 153'],
    ['Torque', 'echo "qstat: Unknown Job Id Error 12.srv" >&2; exit 153'],
    [
      'OpenPBS with a history',
      'echo "qstat: 12.srv Job has finished, use -x or -H to obtain historical job information" >&2; exit 35',
    ],
  ])('knows no job when %s says so', async (_, script) => {
    const authority = await authorityWith(script);
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    expect(await authority.isOver('12')).toBe(true);
  });

  const forgery = (lines: string) => ({ Variable_List: `PBS_O_HOME=/,X=a\n${lines}` });
  it.each([
    ['a variable that makes a second owner', answer(forgery('    Job_Owner = root@x'))],
    ['a variable that makes other hosts', answer(forgery('    exec_host = n9/0*64'))],
    ['a variable that makes another job', answer(forgery('Job Id: 12.srv\n    Job_Owner = root@x'))],
    ['a name that makes an owner before the real one', answer({ Job_Name: 'x\n    Job_Owner = root@x' })],
    ['another job', answer({ id: '13.srv' })],
    ['the whole array', answer({ id: '12[].srv' })],
    ['no job', '\n'],
    ['something else', 'hello\n'],
    ['hosts of no known form', answer({ exec_host: 'n1' })],
    ['no hosts', answer({ exec_host: '' })],
  ])('does not believe an answer with %s', async (_, text) => {
    await expect((await authorityWith(printing(text))).confirmJob('12')).rejects.toMatchObject({
      code: 'SCHEDULER_UNREACHABLE',
      message: expect.stringContaining('cannot be read') as string,
    });
  });

  it('takes lines within a value for what they are', async () => {
    const text = answer(forgery('\texec_host = n9/0\n  Job_Owner = root@x\nJob_Owner = root@x'));
    expect(await (await authorityWith(printing(text))).confirmJob('12')).toMatchObject({ uid, hosts: ['n1', 'n2'] });
  });

  it('says that PBS cannot be asked when pbs_server is away', async () => {
    const authority = await authorityWith(
      'echo "Connection refused" >&2; echo "qstat: cannot connect to server srv" >&2; exit 255',
    );
    for (const ask of [authority.confirmJob('12'), authority.isOver('12')])
      await expect(ask).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
  });
});

describe('isOver', () => {
  it.each(['Q', 'H', 'W', 'C', 'F', 'X', 'M'])('is true when %s', async (state) => {
    expect(await (await authorityWith(printing(answer({ job_state: state })))).isOver('12')).toBe(true);
  });

  it.each(['R', 'S', 'U', 'E', 'T', 'B', 'Z'])('is false while %s', async (state) => {
    expect(await (await authorityWith(printing(answer({ job_state: state })))).isOver('12')).toBe(false);
  });
});

describe('isHere', () => {
  it('needs a command that Grid Engine does not have, whose qstat is another one', async () => {
    const authority = await authorityWith('');
    expect(authority.isHere()).toBe(true);
    await rm(join(directory, 'pbsdsh'));
    expect(authority.isHere()).toBe(false);
  });
});

describe('parseExecHost', () => {
  it.each(['', '-', 'n1', 'n1/', '/0', 'n1/x', 'n1/3-1', 'n1/0+', 'a b/0', '$(x)/0', 'n1/0*x'])(
    'refuses %j',
    (text) => {
      expect(parseExecHost(text)).toBeUndefined();
    },
  );

  it('counts a chunk without processors as one slot', () => {
    expect([...(parseExecHost('n1/0*0') ?? [])]).toEqual([['n1', 1]]);
  });
});

describe('readQstat', () => {
  it('reads the form of Torque, which has more and other attributes', () => {
    const text = `Job Id: 12[3].srv\n    Job_Name = x-3\n    Job_Owner = alice@login\n    resources_used.cput = 0\n    job_state = R\n    exec_host = n1/0\n    euser = alice\n    egroup = users\n`;
    expect(readQstat(text)).toEqual({ id: '12[3]', state: 'R', user: 'alice', execHost: 'n1/0' });
  });
});
