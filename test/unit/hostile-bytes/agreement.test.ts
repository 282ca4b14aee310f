/** Two parsers that must agree: what a job's environment says, and what the scheduler says to root, of the same hosts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { findTargetFaults } from '../../../src/docker/find-target-faults.ts';
import { readAllocation as readGridEngineAllocation } from '../../../src/gridengine/read-allocation.ts';
import { readShares } from '../../../src/gridengine/read-answers.ts';
import { parseExecHosts } from '../../../src/lsf/parse-exec-hosts.ts';
import { readAllocation as readLsfAllocation } from '../../../src/lsf/read-allocation.ts';
import { readAllocation as readPbsAllocation } from '../../../src/pbs/read-allocation.ts';
import { parseExecHost } from '../../../src/pbs/read-qstat.ts';
import type { Allocation } from '../../../src/ports/scheduler.ts';
import { readAllocation as readSlurmAllocation } from '../../../src/slurm/read-allocation.ts';
import { readSqueue, squeueSource } from '../../../src/slurm/squeue-source.ts';
import { mustEqual, seed } from '../../support/hostile-bytes.ts';
import { taskShares } from '../../support/qstat-answers.ts';

const directory = mkdtempSync('/dev/shm/agreement-');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function inFile(lines: readonly string[]): string {
  const file = `${directory}/file`;
  writeFileSync(file, lines.join('\n'));
  return file;
}

interface Share {
  readonly name: string;
  readonly slots: number;
}

/** Names whose numbers have zeros before them, and such as are the beginning of others. */
const names = fc.constantFrom('n1', 'n01', 'n001', 'n10', 'N1', 'a-1', 'a.b.c', '0', '00', 'x', 'n1.example', 'n-1');
const shares: fc.Arbitrary<readonly Share[]> = fc.uniqueArray(
  fc.record({ name: names, slots: fc.integer({ min: 1, max: 4 }) }, { noNullPrototype: true }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 4 },
);
const runs = { numRuns: 10_000, seed };

const hostsOf = ({ hosts }: Pick<Allocation, 'hosts'>): readonly Share[] =>
  hosts.map(({ name, slots }) => ({ name, slots }));
const toShares = (slots: ReadonlyMap<string, number> | undefined): readonly Share[] =>
  [...(slots ?? [])].map(([name, count]) => ({ name, slots: count }));
const each = (job: readonly Share[]): readonly string[] =>
  job.flatMap(({ name, slots }) => Array<string>(slots).fill(name));

describe('the hosts of a job, by its environment and by its scheduler,', { timeout: 120_000 }, () => {
  it('are the same with Slurm', () => {
    const source = squeueSource('/nowhere');
    fc.assert(
      fc.property(shares, (job) => {
        const list = job.map(({ name }) => name).join(',');
        const environment = {
          ...{ SLURM_JOB_ID: '12', SLURM_JOB_NODELIST: list, SLURMD_NODENAME: job[0]?.name ?? '' },
          SLURM_TASKS_PER_NODE: job.map(({ slots }) => slots).join(','),
        };
        mustEqual(hostsOf(readSlurmAllocation(environment)), job, 'the environment');
        const [facts] = readSqueue(`2001|12|12|N/A|RUNNING|${list}|2001|lab\n`) ?? [];
        const confirmed = facts === undefined ? undefined : source.read(facts, '12', 2001);
        mustEqual(
          (confirmed as { hosts: readonly string[] } | undefined)?.hosts,
          job.map(({ name }) => name),
          'squeue',
        );
      }),
      runs,
    );
  });

  it('are the same with LSF, in all the forms in which it tells them', () => {
    fc.assert(
      fc.property(shares, (job) => {
        const id = { LSB_JOBID: '12', LSB_JOBINDEX: '0' };
        const pairs = job.map(({ name, slots }) => `${name} ${slots}`).join(' ');
        mustEqual(hostsOf(readLsfAllocation({ ...id, LSB_MCPU_HOSTS: `${pairs} ` })), job, 'LSB_MCPU_HOSTS');
        mustEqual(hostsOf(readLsfAllocation({ ...id, LSB_HOSTS: each(job).join(' ') })), job, 'LSB_HOSTS');
        mustEqual(hostsOf(readLsfAllocation({ ...id, LSB_DJOB_HOSTFILE: inFile(each(job)) })), job, 'the file');
        mustEqual(toShares(parseExecHosts(each(job).join(':'))), job, 'EXEC_HOST');
        mustEqual(
          toShares(parseExecHosts(job.map(({ name, slots }) => `${slots}*${name}`).join(':'))),
          job,
          'in short',
        );
      }),
      runs,
    );
  });

  it('are the same with Grid Engine', () => {
    fc.assert(
      fc.property(shares, (job) => {
        const lines = job.map(({ name, slots }) => `${name} ${slots} all.q@${name} UNDEFINED`);
        const environment = {
          JOB_ID: '12',
          SGE_TASK_ID: 'undefined',
          HOSTNAME: job[0]?.name ?? '',
          PE_HOSTFILE: inFile(lines),
        };
        mustEqual(hostsOf(readGridEngineAllocation(environment)), job, 'PE_HOSTFILE');
        const answer = taskShares(...each(job).map((name) => ({ id: '12', queue: `all.q@${name}` })));
        mustEqual(
          readShares(answer)?.map(({ host }) => host),
          each(job),
          'qstat',
        );
      }),
      runs,
    );
  });

  it('are the same with PBS', () => {
    fc.assert(
      fc.property(shares, (job) => {
        const environment = { PBS_JOBID: '12.server', PBS_NODEFILE: inFile(each(job)) };
        mustEqual(hostsOf(readPbsAllocation(environment)), job, 'PBS_NODEFILE');
        mustEqual(
          toShares(parseExecHost(job.map(({ name, slots }) => `${name}/0*${slots}`).join('+'))),
          job,
          'exec_host',
        );
        mustEqual(
          toShares(
            parseExecHost(
              each(job)
                .map((name, at) => `${name}/${at}`)
                .join('+'),
            ),
          ),
          job,
          'Torque',
        );
      }),
      runs,
    );
  });
});

describe('an image whose links lead far', () => {
  const place = { target: '/scratch', kind: 'directory', owner: 'site', isFresh: false } as const;
  const deep = `/${'d/'.repeat(2000)}`;

  it.each([
    ['through directories that are there', true],
    ['through directories that are not there', false],
  ])('%s has the engine asked a bounded number of times', async (_, isThere) => {
    let asked = 0;
    const lookAt = async (
      path: string,
    ): Promise<{ kind: 'link'; target: string } | { kind: 'directory' } | undefined> => {
      asked += 1;
      await Promise.resolve();
      if (path === '/scratch') return { kind: 'link', target: deep };
      return isThere ? { kind: 'directory' } : undefined;
    };
    expect(await findTargetFaults({ lookAt }, [place])).toEqual(['its /scratch leads through too many directories']);
    expect(asked).toBeLessThanOrEqual(isThere ? 256 : 3);
  });
});
