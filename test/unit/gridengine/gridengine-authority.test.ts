import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gridEngineAuthority } from '../../../src/gridengine/gridengine-authority.ts';
import type { QstatOptions } from '../../../src/gridengine/qstat-source.ts';
import type { SchedulerAuthority } from '../../../src/ports/scheduler.ts';
import { hostileJob, jobDetails, taskShares, unknownJob } from '../../support/qstat-answers.ts';

/** Stands for qstat: prints what a real one printed (Grid Engine 8.1.9). */
let directory: string;
const { username: owner, uid } = userInfo();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gridengine-authority-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function authorityWith(
  script: string,
  options: Partial<QstatOptions> = {},
  qconf = 'exit 1',
): Promise<SchedulerAuthority> {
  for (const [name, text] of [
    ['qstat', script],
    ['qacct', script],
    ['qconf', qconf],
  ] as const) {
    await writeFile(join(directory, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(directory, name), 0o755);
  }
  return gridEngineAuthority({ commandPath: directory, root: '', cell: '', qmasterPort: 0, ...options });
}

/** One answer to the question for the job, another to the one for its hosts. */
const answering = (details: string, shares: string): string => `case "$*" in
*-j*) cat <<'END'
${details}END
;;
*) cat <<'END'
${shares}END
;;
esac`;

/** As `qconf -sc` prints it, with this in the column `consumable`. */
const complexes = (consumable: Readonly<Record<string, string>>): string => `cat <<'END'
#name               shortcut   type        relop requestable consumable default  urgency 
#----------------------------------------------------------------------------------------
arch                a          RESTRING    ==    YES         NO         NONE     0
${Object.entries(consumable)
  .map(([name, word]) => `${name}              ${name}     MEMORY      <=    YES         ${word}         0        0`)
  .join('\n')}
# >#< starts a comment but comments are not saved across edits --------
END`;

const onTwoHosts = taskShares({ owner, queue: 'all.q@node2' }, { owner, queue: 'b.q@node2' }, { owner });

describe('confirmJob', () => {
  it('reads owner, hosts and their slots', async () => {
    const authority = await authorityWith(answering(jobDetails({ owner }), onTwoHosts));
    expect(await authority.confirmJob('1')).toEqual({
      job: '1',
      schedulerJobId: '1',
      uid,
      hosts: ['node2', 'node1'],
      slots: new Map([
        ['node2', 2],
        ['node1', 1],
      ]),
    });
  });

  it('is not deceived by texts of a user that hold markup', async () => {
    const details = hostileJob.replace('<JB_owner>alice<', `<JB_owner>${owner}<`);
    const shares = taskShares({ owner, name: 'a%lt;/JB_name&gt;%lt;JB_owner&gt;root' });
    const authority = await authorityWith(answering(details, shares));
    expect(await authority.confirmJob('1')).toMatchObject({ uid, hosts: ['node1'] });
  });

  it.each([
    ['an owner', '<JB_owner>root</JB_owner>'],
    ['the end of an element', '</JB_name></job_list>'],
    ['a sign of its own', '<'],
    ['a comment', '<!-- -->'],
    ['a section', '<![CDATA[ ]]>'],
  ])('knows nothing where a release lets through %s in a name', async (_, name) => {
    const shares = answering(jobDetails({ owner }), taskShares({ owner, name: `x</JB_name>${name}<JB_name>` }));
    await expect((await authorityWith(shares)).confirmJob('1')).rejects.toMatchObject({
      code: 'SCHEDULER_UNREACHABLE',
    });
  });

  it.each(['r', 't', 'Rr', 'hr', 's', 'S', 'T', 'tS', 'sS'])('confirms a job that is %s', async (state) => {
    const authority = await authorityWith(answering(jobDetails({ owner }), taskShares({ owner, state })));
    expect(await authority.confirmJob('1')).toMatchObject({ hosts: ['node1'] });
  });

  it.each(['dr', 'ds', 'dRr', 'dt', 'dT'])('says of a job that is %s that it is being ended', async (state) => {
    const authority = await authorityWith(answering(jobDetails({ owner }), taskShares({ owner, state })));
    await expect(authority.confirmJob('1')).rejects.toMatchObject({ code: 'TERMINATED' });
    await expect(authority.confirmJob('1', uid + 1)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    expect(await authority.isOver('1')).toBe(false);
  });

  it('asks again when the job was gone between two answers', async () => {
    const script = `asked=$(cat "$0.asked" 2>/dev/null); [ "$2" != -g ] || echo once >"$0.asked"
if [ "$2" = -j ] && [ -n "$asked" ]; then cat <<'END'
${unknownJob('1')}END
exit; fi
${answering(jobDetails({ owner }), taskShares())}`;
    await expect((await authorityWith(script)).confirmJob('1')).rejects.toMatchObject({
      code: 'JOB_NOT_YOURS',
      message: expect.stringContaining('knows no such job') as string,
    });
  });

  it.each(['d', 'dqw', 'qw', 'hqw', 'Eqw', 'z', 'h', ''])('refuses a job that is %j', async (state) => {
    const authority = await authorityWith(answering(jobDetails({ owner }), taskShares({ owner, state })));
    await expect(authority.confirmJob('1')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });

  it('refuses a job that waits to be started again', async () => {
    const authority = await authorityWith(answering(jobDetails({ owner, tasks: [['1', '0']] }), taskShares()));
    await expect(authority.confirmJob('1')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    expect(await authority.isOver('1')).toBe(true);
  });

  it('tells the elements of an array apart', async () => {
    const details = jobDetails({
      owner,
      tasks: [
        ['3', '128'],
        ['4', '128'],
      ],
    });
    const shares = taskShares({ owner, tasks: '3', queue: 'a@node1' }, { owner, tasks: '4', queue: 'a@node2' });
    const authority = await authorityWith(answering(details, shares));
    expect(await authority.confirmJob('1.4')).toMatchObject({ job: '1_4', schedulerJobId: '1.4', hosts: ['node2'] });
    await expect(authority.confirmJob('1.5')).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    await expect(authority.confirmJob('1')).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
  });

  const gibibyte = 1024 ** 3;
  const asked = { memory: { h_vmem: '2147483648.000000' }, both: { h_vmem: '2147483648.000000', h_rss: '1073741824' } };
  it.each<[string, Readonly<Record<string, string>>, string, object]>([
    ['counted', asked.memory, complexes({ h_vmem: 'YES' }), { memoryPerSlotBytes: 2 * gibibyte }],
    ['not counted', asked.memory, complexes({ h_vmem: 'NO' }), { askedMemoryPerSlotBytes: 2 * gibibyte }],
    ['counted once for the job', asked.memory, complexes({ h_vmem: 'JOB' }), { askedMemoryPerSlotBytes: 2 * gibibyte }],
    ['unknown', asked.memory, complexes({ h_rt: 'YES' }), { askedMemoryPerSlotBytes: 2 * gibibyte }],
    ['not to be asked', asked.memory, 'exit 1', { askedMemoryPerSlotBytes: 2 * gibibyte }],
    ['told in another form', asked.memory, 'echo h_vmem YES', { askedMemoryPerSlotBytes: 2 * gibibyte }],
    [
      'counted above what is not',
      asked.both,
      complexes({ h_vmem: 'YES', h_rss: 'NO' }),
      { memoryPerSlotBytes: gibibyte },
    ],
    ['of no limit of memory', { h_rt: '3600.000000' }, complexes({ h_rt: 'YES' }), {}],
    ['no number', { h_vmem: 'nan' }, complexes({ h_vmem: 'YES' }), {}],
  ])('of a request for memory that is %s takes what it may', async (_, requests, qconf, memory) => {
    const answers = answering(jobDetails({ owner, requests }), taskShares({ owner }));
    const { memoryPerSlotBytes, askedMemoryPerSlotBytes } = await (
      await authorityWith(answers, {}, qconf)
    ).confirmJob('1');
    expect({ memoryPerSlotBytes, askedMemoryPerSlotBytes }).toEqual({
      memoryPerSlotBytes: undefined,
      askedMemoryPerSlotBytes: undefined,
      ...memory,
    });
  });

  it('knows no job when qstat says so', async () => {
    const authority = await authorityWith(answering(unknownJob('1'), taskShares()));
    await expect(authority.confirmJob('1')).rejects.toMatchObject({
      code: 'JOB_NOT_YOURS',
      message: expect.stringContaining('knows no such job') as string,
    });
    expect(await authority.isOver('1')).toBe(true);
  });

  it.each([
    [
      'sge_qmaster is away',
      'echo "error: commlib error: got select error (Connection refused)" >&2; exit 1',
      'commlib',
    ],
    ['another job is unknown', answering(unknownJob('11'), taskShares()), 'cannot be read'],
    ['the answer is of another job', answering(jobDetails({ id: '11', owner }), taskShares({ owner })), 'cannot'],
    [
      'the answer is of two jobs',
      answering(jobDetails({ owner }).replace('</element>', '</element><element/>'), ''),
      'cannot',
    ],
    [
      'the job has two owners',
      answering(jobDetails({ owner }).replace('</JB_owner>', '</JB_owner><JB_owner>x</JB_owner>'), ''),
      'cannot',
    ],
    ['the answer is no XML', 'echo hello', 'cannot be read'],
    ['the answer is cut off', answering(jobDetails({ owner }).slice(0, 300) + '\n', ''), 'cannot be read'],
    ['the hosts cannot be read', answering(jobDetails({ owner }), 'hello\n'), 'cannot be read'],
    ['a host is none', answering(jobDetails({ owner }), taskShares({ owner, queue: 'all.q@a b' })), 'cannot be read'],
    ['the job is gone meanwhile', answering(jobDetails({ owner }), taskShares()), 'do not agree'],
    ['the hosts are of another owner', answering(jobDetails({ owner }), taskShares({ owner: 'bob' })), 'do not agree'],
    ['the owner is everybody', answering(jobDetails({ owner: '*' }), taskShares({ owner: '*' })), 'cannot be read'],
    ['the owner is an option', answering(jobDetails({ owner: '-s' }), taskShares({ owner: '-s' })), 'cannot be read'],
  ])('says that Grid Engine cannot be asked when %s', async (_, script, message) => {
    await expect((await authorityWith(script)).confirmJob('1')).rejects.toMatchObject({
      code: 'SCHEDULER_UNREACHABLE',
      message: expect.stringContaining(message) as string,
    });
  });

  it.each(['', '12_3', '12[3]', '12.0', '12.', '12 13', '-a', '*', '0', '12\n13', '12.1-3', '1'.repeat(30)])(
    'does not ask for the id %j',
    async (id) => {
      await expect((await authorityWith('exit 9')).confirmJob(id)).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
    },
  );

  it('asks with nothing of the caller’s environment, and only for the owner’s running jobs', async () => {
    process.env['SGE_CELL'] = 'forged';
    const script = `{ env; echo "$@"; } >>"$0.seen"; ${answering(jobDetails({ owner }), taskShares({ owner }))}`;
    const authority = await authorityWith(script, { root: '/opt/sge', cell: 'main', qmasterPort: 6444 });
    await authority.confirmJob('1');
    delete process.env['SGE_CELL'];
    const seen = await readFile(join(directory, 'qstat.seen'), 'utf8');
    for (const line of [
      'SGE_ROOT=/opt/sge',
      'SGE_CELL=main',
      'SGE_QMASTER_PORT=6444',
      '-xml -j 1',
      `-xml -g t -s rs -u ${owner}`,
    ])
      expect(seen.split('\n')).toContain(line);
    expect(seen).not.toContain('forged');
    expect(seen).not.toContain('HOME=');
  });
});

describe('isOver', () => {
  it.each(['r', 's', 'dr', 't', 'anything'])('is false while %s', async (state) => {
    const authority = await authorityWith(answering(jobDetails({ owner }), taskShares({ owner, state })));
    expect(await authority.isOver('1')).toBe(false);
  });

  it('is true of a job that waits, and of an element that is not on any host', async () => {
    const authority = await authorityWith(answering(jobDetails({ owner, tasks: [] }), taskShares()));
    expect(await authority.isOver('1')).toBe(true);
    expect(await authority.isOver('1.3')).toBe(true);
  });

  it('is not known when sge_qmaster does not answer', async () => {
    const authority = await authorityWith('echo "error: unable to contact qmaster" >&2; exit 1');
    await expect(authority.isOver('1')).rejects.toMatchObject({ code: 'SCHEDULER_UNREACHABLE' });
  });
});

describe('isHere', () => {
  it('needs commands that PBS does not have, whose qstat is another one', async () => {
    const authority = await authorityWith('');
    expect(authority.isHere()).toBe(true);
    await rm(join(directory, 'qacct'));
    expect(authority.isHere()).toBe(false);
  });
});
