import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findJobCgroup } from '../../../src/lsf/find-job-cgroup.ts';
import { lsfAuthority } from '../../../src/lsf/lsf-authority.ts';
import { parseExecHosts } from '../../../src/lsf/parse-exec-hosts.ts';
import type { SchedulerAuthority } from '../../../src/ports/scheduler.ts';

/** Stands for bjobs, in three generations of its options; prints what a real one prints. */
let directory: string;
const { username, uid } = userInfo();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lsf-authority-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function authorityWith(script: string, confDirectory = ''): Promise<SchedulerAuthority> {
  await writeFile(join(directory, 'bjobs'), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, 'bjobs'), 0o755);
  return lsfAuthority({ commandPath: directory, confDirectory });
}

const printing = (text: string): string => `cat <<'END'\n${text}\nEND`;

const record = (facts: Record<string, string>): string =>
  JSON.stringify({
    COMMAND: 'bjobs',
    JOBS: 1,
    RECORDS: [
      { JOBID: '12', JOBINDEX: '0', STAT: 'RUN', USER: username, QUEUE: 'normal', EXEC_HOST: 'node1', ...facts },
    ],
  });

const wideHeader = 'JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME';
const wideLine = (hosts: string, name = 'sleep 9', state = 'RUN'): string =>
  `12      ${username.padEnd(7)} ${state.padEnd(5)} normal     node1       ${hosts.padEnd(11)} ${name} Nov 20 10:00`;

/** A release that knows customized output with all hosts, as JSON. */
const current = (facts: Record<string, string>): string => printing(record(facts));
/** One that knows it without JSON. */
const withoutJson = (
  line: string,
): string => `case "$*" in *-json*) echo "bjobs: illegal option -- j" >&2; exit 255;; esac
${printing(line)}`;
/** One whose customized output shows the first host only, and has neither -X nor -noheader. */
const firstHostOnly = (json: string, wide: string): string => `case "$*" in
*-X*) printf "bjobs: invalid option -- 'X'\\nUsage: bjobs [-h]\\n" >&2; exit 255;;
*-json*) ${printing(json)}
;;
*) ${printing(wide)}
;;
esac`;
/** One that knows nothing of all this. */
const old = (wide: string): string => `case "$*" in *-o*|*-X*) echo "bjobs: illegal option -- o" >&2; exit 255;; esac
${printing(wide)}`;

describe('confirmJob', () => {
  const confirmed = (hosts: Record<string, number>) => ({
    job: '12',
    schedulerJobId: '12',
    uid,
    queue: 'normal',
    hosts: Object.keys(hosts),
    slots: new Map(Object.entries(hosts)),
  });
  const twoHosts = { node1: 2, node2: 1 };

  it.each([
    ['JSON', current({ EXEC_HOST: '2*node1:node2' })],
    ['JSON with every slot', current({ EXEC_HOST: 'node1:node1:node2' })],
    ['columns with a delimiter', withoutJson(`12|0|RUN|${username}|normal|2*node1:node2|3`)],
    ['columns without an index', withoutJson(`12|-|RUN|${username}|normal|2*node1:node2|3`)],
    [
      'JSON and a wide line',
      firstHostOnly(record({ EXEC_HOST: 'node1' }), `${wideHeader}\n${wideLine('2*node1:node2')}`),
    ],
    ['a wide line', old(`${wideHeader}\n${wideLine('node1:node1:node2')}`)],
    ['a wide line with blanks in the name', old(`${wideHeader}\n${wideLine('2*node1:node2', 'a  RUN x:y')}`)],
    ['a wide line with a line end in the name', old(`${wideHeader}\n${wideLine('2*node1:node2', 'a\nb')}`)],
  ])('reads %s', async (_, script) => {
    expect(await (await authorityWith(script)).confirmJob('12')).toEqual(confirmed(twoHosts));
  });

  it.each(['RUN', 'USUSP', 'SSUSP'])('confirms a job that is %s', async (state) => {
    expect(await (await authorityWith(current({ STAT: state }))).confirmJob('12')).toEqual(confirmed({ node1: 1 }));
  });

  it('says of a job that is ZOMBI that it is being ended', async () => {
    const authority = await authorityWith(current({ STAT: 'ZOMBI' }));
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'TERMINATED' });
  });

  it.each(['PEND', 'PSUSP', 'DONE', 'EXIT', 'UNKWN', 'PROV', 'WAIT', ''])('refuses a job that is %s', async (state) => {
    const authority = await authorityWith(current({ STAT: state }));
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it('asks for an element of an array by its index', async () => {
    const authority = await authorityWith(`printf '%s\\n' "$@" >"$0.seen"; ${current({ JOBINDEX: '3' })}`);
    expect(await authority.confirmJob('12[3]')).toMatchObject({ job: '12_3', schedulerJobId: '12[3]' });
    expect(await readFile(join(directory, 'bjobs.seen'), 'utf8')).toMatch(/\n12\[3\]\n$/);
  });

  it.each([
    ['an array', '12', { JOBINDEX: '3' }],
    ['another element', '12[4]', { JOBINDEX: '3' }],
    ['another element, by its id', '12[4]', { JOBID: '12[3]' }],
    ['another job', '12', { JOBID: '13' }],
  ])('does not take %s for the job', async (_, id, facts) => {
    const authority = await authorityWith(current(facts));
    await expect(authority.confirmJob(id)).rejects.toMatchObject({
      code: 'JOB_NOT_YOURS',
      message: expect.stringContaining('knows no such job') as string,
    });
  });

  it.each([
    ['on standard error', 'echo "Job <12> is not found" >&2; exit 255'],
    [
      'as JSON',
      `${printing('{"COMMAND":"bjobs","JOBS":1,"RECORDS":[{"JOBID":"12","ERROR":"Job <12> is not found"}]}')}\nexit 255`,
    ],
  ])('knows no job when bjobs says so %s', async (_, script) => {
    const authority = await authorityWith(script);
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    expect(await authority.isOver('12')).toBe(true);
  });

  it('is not deceived by a job name that looks like more lines of the answer', async () => {
    const name = `x\n12      root    RUN   normal     node1       node9       y`;
    const authority = await authorityWith(old(`${wideHeader}\n${wideLine('node1', name)}`));
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
  });

  it.each(['x[1]', '[1]', 'x\n[1]'])('does not take the only element %j for its array', async (name) => {
    const authority = await authorityWith(old(`${wideHeader}\n${wideLine('node1', name)}`));
    await expect(authority.confirmJob('12')).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
    await expect(authority.isOver('12')).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
    expect(await authority.confirmJob('12[1]')).toMatchObject({ job: '12_1' });
  });

  it('refuses two answers of different times', async () => {
    const script = firstHostOnly(record({}), `${wideHeader}\n${wideLine('-', 'x', 'PEND')}`);
    await expect((await authorityWith(script)).confirmJob('12')).rejects.toMatchObject({
      code: 'SCHEDULER_UNREACHABLE',
      message: expect.stringContaining('do not agree') as string,
    });
  });

  it.each([
    ['mbatchd is away', 'echo "batch system daemon not responding ... still trying" >&2; exit 255', 'not responding'],
    ['mbatchd is away, in JSON', printing('{"RECORDS":[{"JOBID":"12","ERROR":"LSF is down"}]}'), 'cannot be read'],
    ['lsf.conf is missing', 'echo "bjobs: lsf.conf: no such file" >&2; exit 1', 'lsf.conf'],
    ['bjobs is killed', 'kill -9 $$', 'SIGKILL'],
    ['the answer is something else', 'echo hello', 'cannot be read'],
    ['every form is refused', 'echo "usage: bjobs" >&2; exit 255', 'refuses every form'],
    ['the hosts are something else', current({ EXEC_HOST: 'a b' }), 'cannot be read'],
  ])('says that LSF cannot be asked when %s', async (_, script, message) => {
    const authority = await authorityWith(script);
    await expect(authority.confirmJob('12')).rejects.toMatchObject({
      code: 'SCHEDULER_UNREACHABLE',
      message: expect.stringContaining(message) as string,
    });
  });

  it.each(['no-such-user-here', '0', '-s', 'a b', ''])('refuses the user %j', async (user) => {
    await expect((await authorityWith(current({ USER: user }))).confirmJob('12')).rejects.toMatchObject({
      code: 'HOST_UNFIT',
    });
  });

  it.each(['', '12_3', '12[0]', '12[3', '12 13', '-a', '0', '12\n13', '12[1-3]', '1'.repeat(30)])(
    'does not ask for the id %j',
    async (id) => {
      await expect((await authorityWith('exit 9')).confirmJob(id)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    },
  );

  it('asks with nothing of the caller’s environment but the site’s directory of lsf.conf', async () => {
    process.env['LSF_ENVDIR'] = '/tmp/forged';
    const authority = await authorityWith(`env >"$0.seen"; ${current({})}`, '/etc/lsf');
    await authority.confirmJob('12');
    delete process.env['LSF_ENVDIR'];
    const seen = await readFile(join(directory, 'bjobs.seen'), 'utf8');
    expect(seen).toContain('LSF_ENVDIR=/etc/lsf\n');
    expect(seen).not.toContain('forged');
    expect(seen).not.toContain('HOME=');
  });
});

describe('isOver', () => {
  it.each(['DONE', 'EXIT', 'PEND', 'PSUSP'])('is true when %s', async (state) => {
    expect(await (await authorityWith(current({ STAT: state, EXEC_HOST: '-' }))).isOver('12')).toBe(true);
  });

  it.each(['RUN', 'USUSP', 'SSUSP', 'UNKWN', 'ZOMBI', 'PROV', 'SOMETHING'])('is false while %s', async (state) => {
    expect(await (await authorityWith(current({ STAT: state }))).isOver('12')).toBe(false);
  });

  it('is not known when LSF does not answer', async () => {
    const authority = await authorityWith('echo "LSF is down" >&2; exit 255');
    await expect(authority.isOver('12')).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
  });
});

describe('isHere', () => {
  it('looks for bjobs in the site’s directories', async () => {
    expect((await authorityWith('')).isHere()).toBe(true);
    expect(lsfAuthority({ commandPath: '/nowhere', confDirectory: '' }).isHere()).toBe(false);
  });
});

describe('parseExecHosts', () => {
  it.each([
    ['node1', { node1: 1 }],
    ['2*node1:node2', { node1: 2, node2: 1 }],
    ['node2:node3:node3:node1', { node2: 1, node3: 2, node1: 1 }],
    ['2*node1.example:16*n-2', { 'node1.example': 2, 'n-2': 16 }],
  ])('reads %s', (text, slots) => {
    expect([...parseExecHosts(text)!]).toEqual(Object.entries(slots));
  });

  it.each(['', '-', '   -   ', '0*a', '*a', 'a:', ':a', 'a b', '2*', 'a:$(x)', '123456*a'])('refuses %j', (text) => {
    expect(parseExecHosts(text)).toBeUndefined();
  });
});

describe('findJobCgroup', () => {
  const path = '/lsf/cluster1/job.12.4711.1700000000';

  it.each([
    [`9:memory:${path}\n8:cpu,cpuacct:${path}\n2:pids:/\n1:name=systemd:/init.scope\n`, '12', path],
    [`0::${path}/step\n`, '12', path],
    ['3:memory:/lsf/c/job.12[3].4711.1700000000\n', '12[3]', '/lsf/c/job.12[3].4711.1700000000'],
  ])('finds the job in %j', (text, schedulerJobId, found) => {
    expect(findJobCgroup(text)).toEqual({ schedulerJobId, path: found });
  });

  it.each([
    '',
    '0::/',
    '0::/user.slice/lsf/c/job.12.1.2',
    '3:memory:/docker/abc/lsf/c/job.12.1.2',
    '3:memory:/lsf/c/job.12',
    '3:memory:/lsf/c/job.12.1.2x',
    '3:memory:/lsf/c/job.012.1.2',
    '3:memory:/lsf/c/../job.12.1.2',
    '3:memory:/lsf/job.12.1.2',
    '1:name=systemd:/lsf/c/job.12.1.2',
    `3:memory:${path}\n4:cpuset:/lsf/cluster1/job.13.1.2\n`,
  ])('finds none in %j', (text) => {
    expect(findJobCgroup(text)).toBeUndefined();
  });
});
