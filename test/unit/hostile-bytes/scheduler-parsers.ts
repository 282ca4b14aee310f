import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readGpus } from '../../../src/allocation/read-gpus.ts';
import { hostNameSchema } from '../../../src/contract/job-request.ts';
import { parseJobKey } from '../../../src/contract/job-key.ts';
import { isSchedulerJobId } from '../../../src/contract/schedulers.ts';
import { readConsumables, readDetails, readShares } from '../../../src/gridengine/read-answers.ts';
import { parseXml } from '../../../src/gridengine/parse-xml.ts';
import { readAllocation as readGridEngineAllocation } from '../../../src/gridengine/read-allocation.ts';
import { readPeHostfile } from '../../../src/gridengine/read-pe-hostfile.ts';
import { bjobsForms, isUnknownJob } from '../../../src/lsf/bjobs-forms.ts';
import { bjobsSource } from '../../../src/lsf/bjobs-source.ts';
import { parseAssignments, parseSections } from '../../../src/lsf/configuration/parse-configuration.ts';
import { addLicenses } from '../../../src/lsf/esub/merge-resources.ts';
import { parseJobStarter } from '../../../src/lsf/esub/find-job-starter.ts';
import { findSecondCommand } from '../../../src/lsf/esub/find-second-command.ts';
import { parseEsubNames } from '../../../src/lsf/esub/parse-esub-names.ts';
import { parseParameters } from '../../../src/lsf/esub/parse-parameters.ts';
import { findJobCgroup as findLsfCgroup } from '../../../src/lsf/find-job-cgroup.ts';
import { parseExecHosts } from '../../../src/lsf/parse-exec-hosts.ts';
import { readAbortValue } from '../../../src/lsf/read-abort-value.ts';
import { readAllocation as readLsfAllocation } from '../../../src/lsf/read-allocation.ts';
import { readHostFile } from '../../../src/lsf/read-host-file.ts';
import { refuseContainerMode } from '../../../src/lsf/refuse-container-mode.ts';
import { readJobCommand } from '../../../src/lsf/starter/read-job-command.ts';
import { findCommandLine } from '../../../src/middleware/lsf/find-command-line.ts';
import { readAllocation as readPbsAllocation } from '../../../src/pbs/read-allocation.ts';
import { parseExecHost, readQstat } from '../../../src/pbs/read-qstat.ts';
import type { Allocation, ConfirmedJob, JobCgroup } from '../../../src/ports/scheduler.ts';
import { expandCountList } from '../../../src/slurm/count-list.ts';
import { findJobCgroup as findSlurmCgroup } from '../../../src/slurm/find-job-cgroup.ts';
import { readSluids } from '../../../src/slurm/name-cgroup.ts';
import { parseGres } from '../../../src/slurm/read-gres.ts';
import { parseShare } from '../../../src/slurm/read-share.ts';
import { expandHostList } from '../../../src/slurm/host-list.ts';
import { parseTimeLeft } from '../../../src/slurm/parse-time-left.ts';
import { readAllocation as readSlurmAllocation } from '../../../src/slurm/read-allocation.ts';
import { parseSettings } from '../../../src/slurm/read-settings.ts';
import { readTimes } from '../../../src/slurm/read-suspended-seconds.ts';
import { readTaskEnd } from '../../../src/slurm/read-task-end.ts';
import { refuseManyTasks } from '../../../src/slurm/refuse-many-tasks.ts';
import { readSqueue, squeueSource } from '../../../src/slurm/squeue-source.ts';
import { exportEnvironment, parseExportFile, splitExportList } from '../../../src/slurm/submit/export-environment.ts';
import { splitSimpleCommand } from '../../../src/slurm/submit/split-simple-command.ts';
import { parseOwnCall } from '../../../src/middleware/slurm/parse-own-call.ts';
import { must, mustBeHosts, mustBePath, mustBePlain, mustEqual, taken } from '../../support/hostile-bytes.ts';
import type { HostileParser } from '../../support/hostile-bytes.ts';
import { hostileJob, taskShares } from '../../support/qstat-answers.ts';

const wrongAllocation = ['ALLOCATION_INVALID', 'NOT_IN_A_JOB'] as const;

/** Variables as one text, so that a change may meet names, values and the place between two. */
const toText = (variables: Readonly<Record<string, string>>): string =>
  Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join('\u001e');

function toEnvironment(text: string): Record<string, string> {
  const pairs = text.split('\u001e').map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

let directory: string | undefined;

/** Removes the files of these tries. */
export function removeFiles(): void {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  directory = undefined;
}

/** The text in a file of its own. */
function inFile(text: string): string {
  directory ??= mkdtempSync('/dev/shm/hostile-'); // ten thousand times: no disk
  const file = join(directory, 'file');
  writeFileSync(file, text);
  return file;
}

function mustBeAllocation(allocation: Allocation | undefined): void {
  if (allocation === undefined) return;
  const { job, schedulerJobId, scheduler, hosts } = allocation;
  must(isSchedulerJobId(scheduler, schedulerJobId), 'no job id', schedulerJobId);
  must(parseJobKey(job) === job, 'no job key', job);
  mustBeHosts(hosts.map(({ name }) => name));
  must(hosts.length > 0 && new Set(hosts.map(({ name }) => name)).size === hosts.length, 'no host, or one twice');
  for (const { slots } of hosts) must(Number.isSafeInteger(slots) && slots > 0, 'no number', slots);
}

function mustBeConfirmed(confirmed: ConfirmedJob | undefined, uid: number): void {
  if (confirmed === undefined) return;
  mustBeHosts(confirmed.hosts);
  must(confirmed.hosts.length > 0, 'a job without hosts');
  must(parseJobKey(confirmed.job) === confirmed.job, 'no job key', confirmed.job);
  must(confirmed.uid === uid, 'another uid');
  for (const slots of confirmed.slots?.values() ?? [])
    must(Number.isSafeInteger(slots) && slots > 0, 'no number of slots', slots);
}

function mustBeCgroup(found: JobCgroup | undefined, scheduler: 'slurm' | 'lsf'): void {
  if (found === undefined) return;
  mustBePath(found.path);
  const { schedulerJobId, sluid } = found;
  if (schedulerJobId === undefined) must(/^s[0-9A-Z]{13}$/.test(sluid ?? ''), 'no SLUID', sluid);
  else must(isSchedulerJobId(scheduler, schedulerJobId), 'no job id', schedulerJobId);
}

const slurmJob = {
  ...{ SLURM_JOB_ID: '12', SLURM_JOB_NODELIST: 'n[08-10],x', SLURM_JOB_NUM_NODES: '4', SLURMD_NODENAME: 'n08' },
  ...{ SLURM_TASKS_PER_NODE: '2(x3),1', SLURM_JOB_CPUS_PER_NODE: '4(x4)', SLURM_PROCID: '0', SLURM_MEM_PER_CPU: '100' },
};
const slurmElement = { ...slurmJob, SLURM_ARRAY_JOB_ID: '11', SLURM_ARRAY_TASK_ID: '3', SLURM_JOB_GPUS: '0,1' };
const lsfJob = { LSB_JOBID: '772', LSB_JOBINDEX: '0', LSB_MCPU_HOSTS: 'h1 4 h2 2 ', CUDA_VISIBLE_DEVICES: '0,1' };
const slurm = squeueSource('/nowhere/squeue');
const lsf = bjobsSource({ commandPath: '/nowhere', confDirectory: '' });
const cgroups =
  '12:memory:/slurm_n1/uid_2001/job_12/step_0/task_0\n3:name=systemd:/user.slice\n0::/system.slice/slurmstepd.scope/job_12/step_0\n';

const ofSlurm: readonly HostileParser[] = [
  {
    name: 'slurm/host-list#expandHostList',
    seeds: ['n[08-10],x', 'r[1-2]c[1-2]', 'node1', 'a-b.c[001-003,7]'],
    words: ['n[1-9]', '[1-3]', '1-', ',n'],
    hold: (text) => {
      const names = taken(wrongAllocation, () => expandHostList(text));
      if (names === undefined) return;
      mustBeHosts(names);
      if (names.length < 100) mustEqual(expandHostList(names.join(',')), names, 'written out');
    },
  },
  {
    name: 'slurm/count-list#expandCountList',
    seeds: ['2(x3),1', '4', '1,1,1,1'],
    words: ['(x', '(x3)', 'x99999'],
    hold: (text) => {
      const counts = taken(wrongAllocation, () => expandCountList(text, 4));
      if (counts === undefined) return;
      mustEqual(counts.length, 4, 'hosts');
      mustEqual(expandCountList(counts.join(','), 4), counts, 'written out');
    },
  },
  {
    name: 'slurm/parse-time-left#parseTimeLeft',
    seeds: ['5-03:00:00', '3:00:00', '5:00', 'INVALID', 'UNLIMITED'],
    hold: (text) => {
      const seconds = parseTimeLeft(text);
      must(seconds === undefined || (Number.isSafeInteger(seconds) && seconds >= 0), 'no time', seconds);
    },
  },
  {
    name: 'slurm/read-allocation#readAllocation',
    seeds: [toText(slurmJob), toText(slurmElement)],
    words: ['\u001eSLURM_HET_SIZE=1', '\u001eSLURM_', 'x,', '[1-4000]', '(x9)'],
    hold: (text) => mustBeAllocation(taken(wrongAllocation, () => readSlurmAllocation(toEnvironment(text)))),
  },
  {
    name: 'slurm/read-task-end#readTaskEnd',
    seeds: [
      'srun: error: node2: task 1: Killed',
      'srun: error: node[2-3]: tasks 1-2: Exited with exit code 69',
      'srun: error: Task launch for StepId=12.0 failed on node node2: Communication connection failure',
      'srun: error: Node failure on node2',
    ],
    hold: (text) => {
      const end = readTaskEnd(text);
      if (end === undefined) return;
      mustBeHosts(end.hosts);
      mustBePlain(end.how, 'how a task ended');
    },
  },
  {
    name: 'slurm/read-settings#parseSettings',
    seeds: ['Configuration data\nKillWait                = 30 sec\nEpilog[0]   = /etc/slurm/epilog\n\nX=(null)\n'],
    words: [' = ', '= '],
    hold: (text) => {
      for (const [name, value] of parseSettings(text))
        must(/^\w+$/.test(name) && !value.includes('\n'), 'a setting', name);
    },
  },
  {
    name: 'slurm/squeue-source#readSqueue',
    seeds: [
      '2001|12|12|N/A|RUNNING|n[1-2]|2001|lab\n',
      '2001|12|11|3|RUNNING|n1|2001|lab\n2001|13|11|4|PENDING||2001|lab,gpu\n',
    ],
    words: ['|', '\n0|12|12|N/A|RUNNING|n1|0|lab', 'n[1-4000]'],
    hold: (text) => {
      for (const facts of readSqueue(text) ?? []) {
        const uid = slurm.readOwner(facts) as number | undefined;
        must(uid === undefined || Number.isSafeInteger(uid), 'no uid', uid);
        must(!(slurm.isLive(facts.state) && slurm.isOver(facts.state)), 'both live and over', facts.state);
        mustBeConfirmed(slurm.read(facts, facts.jobId, uid ?? 0) as ConfirmedJob | undefined, uid ?? 0);
      }
    },
  },
  {
    name: 'slurm/read-suspended-seconds#readTimes',
    seeds: ['12|1795176283|1:00\n13|1795176283|INVALID\n'],
    words: ['|'],
    hold: (text) => {
      for (const { startSeconds = 0, usedSeconds = 0 } of readTimes(text))
        must(Number.isSafeInteger(startSeconds) && Number.isSafeInteger(usedSeconds), 'no time');
    },
  },
  {
    name: 'slurm/find-job-cgroup#findJobCgroup',
    seeds: [cgroups],
    words: ['/../', ':memory:', '\n7:cpu:/slurm/uid_0/job_99', '\n0::/system.slice/slurmstepd.scope/job_9', 'uid_0'],
    hold: (text) => mustBeCgroup(findSlurmCgroup(text), 'slurm'),
  },
  {
    name: 'slurm/find-job-cgroup#findJobCgroup of cgroup v2',
    seeds: [
      `0::/system.slice/docker-${'a'.repeat(64)}.scope/system.slice/slurmstepd.scope/sEKNKTV3WPV500/step_0\n`,
      '0::/hpc.slice/hpc-jobs.slice/n1_slurmstepd.scope/job_12/step_0/user/task_0\n',
    ],
    words: ['/user.slice', '/user@2001.service', '/slurmstepd.scope/job_9', '/sAAAAAAAAAAAAA', '/../', '.slice'],
    hold: (text) => {
      mustBeCgroup(findSlurmCgroup(text), 'slurm');
      must(!/user\.slice|\.service/.test(findSlurmCgroup(text)?.path ?? ''), "a user's own", text);
    },
  },
  {
    name: 'slurm/name-cgroup#readSluids',
    seeds: ['{"jobs":[{"job_id":12,"sluid":"sEKNKTV3WPV500","name":"x"},{"job_id":13}]}'],
    words: ['"job_id":12', '"sluid":null', '{"jobs":[]}', '[', '1e400'],
    hold: (text) => {
      for (const [id, sluid] of readSluids(text) ?? []) must(/^-?\d+/.test(id) && sluid !== '', 'no job', id);
    },
  },
  {
    name: 'slurm/read-share#parseShare',
    seeds: ['   JOB_GRES=(null)\n     Nodes=n[1-2] CPU_IDs=0-1,4 Mem=700 GRES=\n   Comment=x\n'],
    words: ['\n Nodes=n1 CPU_IDs=0-63 Mem=0 GRES=', 'Mem=', 'n[1-99999]', '0-', ','],
    hold: (text) => {
      const share = parseShare(text, 'n1');
      if (share === undefined) return;
      must(Number.isSafeInteger(share.cpus) && share.cpus > 0, 'no processors', share.cpus);
      must((share.memoryBytes ?? 1) > 0, 'no memory', share.memoryBytes);
      // Whatever a user adds, they get no more.
      const more = parseShare(`${text}\n     Nodes=n1 CPU_IDs=0-63 Mem=0 GRES=\n`, 'n1');
      must(more?.cpus === Math.min(share.cpus, 64) && more.memoryBytes === share.memoryBytes, 'raised');
    },
  },
  {
    name: 'slurm/read-gres#parseGres',
    seeds: [
      '   JOB_GRES=gpu:2\n     Nodes=n[1-2] CPU_IDs=0-1,4 Mem=700 GRES=gpu:tesla:2(IDX:0-1),nic:1(IDX:3)\n   Comment=x\n',
    ],
    words: ['\n Nodes=n1 CPU_IDs=0 Mem=0 GRES=gpu:8(IDX:0-7)', '(IDX:', 'n[1-99999]', '0-', ',', 'gpu:', '(CNT:1)'],
    hold: (text) => {
      const gres = parseGres(text, 'n1');
      for (const [name, indexes] of gres)
        must(/^[\w-]+$/.test(name) && indexes.every((index) => index >= 0 && index < 1024), 'no device', indexes);
      // Whatever a user adds, they get no more.
      const more = parseGres(`${text}\n     Nodes=n1 CPU_IDs=0 Mem=0 GRES=gpu:8(IDX:0-7),nic:9(IDX:0-8)\n`, 'n1');
      const had = text.includes('Nodes=') && gres.size > 0;
      for (const [name, indexes] of had ? more : [])
        must(
          indexes.every((index) => gres.get(name)?.includes(index) === true),
          'raised',
          indexes,
        );
    },
  },
  {
    name: 'slurm/refuse-many-tasks#refuseManyTasks',
    seeds: ['2', '1'],
    hold: (text) => void taken(['USAGE'], () => refuseManyTasks({ SLURM_STEP_NUM_TASKS: text }, '/x')),
  },
];

const section = 'Begin Queue\nQUEUE_NAME = normal\nJOB_STARTER = /x/hpc-submit-dockerjob starter\n# no\nEnd Queue\n';

const ofLsf: readonly HostileParser[] = [
  {
    name: 'lsf/parse-exec-hosts#parseExecHosts',
    seeds: ['node2:node1:node1', 'node2:2*node1', '-', '99999*a'],
    words: ['2*', '*', ':n1'],
    hold: (text) => {
      const slots = parseExecHosts(text);
      if (slots === undefined) return;
      mustBeHosts([...slots.keys()], Infinity);
      mustEqual(
        parseExecHosts([...slots].map(([name, count]) => `${Math.min(count, 99_999)}*${name}`).join(':'))?.size,
        slots.size,
        'written out',
      );
    },
  },
  ...bjobsForms.map((form): HostileParser => {
    const record = '{"JOBID":"12","JOBINDEX":"0","STAT":"RUN","USER":"alice","QUEUE":"normal","EXEC_HOST":"2*n1:n2"}';
    return {
      name: `lsf/bjobs-forms#parse ${form.options.join(' ')}`,
      seeds: [
        `{"COMMAND":"bjobs","JOBS":1,"RECORDS":[${record}]}`,
        '12|0|RUN|alice|normal|2*n1:n2|3\n',
        'JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME\n12      alice   RUN   normal     n1          2*n1:n2     x          Nov 28 21:00\n',
      ],
      words: ['|', '\n99 root RUN normal n1 n1 x', '"USER":"root"', 'Job <12> is not found'],
      hold: (text) => {
        for (const facts of form.parse(text) ?? []) {
          must(!(lsf.isLive(facts.state) && lsf.isOver(facts.state)), 'both live and over', facts.state);
          mustBeConfirmed(lsf.read(facts, '12', 2001) as ConfirmedJob | undefined, 2001);
        }
      },
    };
  }),
  {
    name: 'lsf/bjobs-forms#isUnknownJob',
    seeds: ['Job <12> is not found', 'Job <12[3]> is not found.', 'No matching job found'],
    hold: (text) => void isUnknownJob(text),
  },
  {
    name: 'lsf/find-job-cgroup#findJobCgroup',
    seeds: ['4:memory:/lsf/c1/job.772.123.1795176283/x\n5:cpuset:/lsf/c1/job.772[3].123.1795176283\n0::/\n'],
    words: ['/../', '/lsf/../job.1.2.3', '\n9:cpu:/lsf/a/job.9.9.9'],
    hold: (text) => mustBeCgroup(findLsfCgroup(text), 'lsf'),
  },
  {
    name: 'lsf/read-allocation#readAllocation',
    seeds: [toText(lsfJob), toText({ LSB_JOBID: '772', LSB_JOBINDEX: '3', LSB_HOSTS: 'h1 h1 h2' })],
    words: ['\u001eLSB_', ' h1', ' 2 '],
    hold: (text) => mustBeAllocation(taken(wrongAllocation, () => readLsfAllocation(toEnvironment(text)))),
  },
  {
    name: 'lsf/read-host-file#readHostFile',
    seeds: ['h1\nh1\nh2 3\n# no\n'],
    hold: (text) => {
      for (const { slots } of taken(wrongAllocation, () => readHostFile(inFile(text))) ?? [])
        must(slots > 0 && slots < 100_000, 'no number of slots', slots);
    },
  },
  {
    name: 'lsf/refuse-container-mode#refuseContainerMode',
    seeds: [`5:memory:/lsf/c1/job.1.2.3/docker-${'0a'.repeat(32)}.scope\n`],
    hold: (text) =>
      void taken(['HOST_UNFIT'], () => refuseContainerMode({ environment: {}, cgroupText: text, hasRootMark: false })),
  },
  {
    name: 'lsf/esub/parse-parameters#parseParameters',
    seeds: ['LSB_SUB_QUEUE="normal"\nLSB_SUB_RES_REQ="select[x] rusage[mem=1]"\nLSB_SUB_COMMANDNAME="a"\n'],
    words: ['\nLSB_SUB_QUEUE="other"', '\\"'],
    hold: (text) => {
      for (const [name, value] of parseParameters(text)) {
        must(
          /^LSB_SUB\d?_[A-Z0-9_]+$/.test(name) && !/^LSB_SUB_COMMAND(?:NAME|_LINE)$/.test(name),
          'a parameter',
          name,
        );
        must(!value.includes('\n'), 'a value of several lines', value);
      }
    },
  },
  {
    name: 'slurm/submit/export-environment#splitExportList',
    seeds: ['ALL,A=1', "A='b,c',D", 'NONE', 'X="1,2",ALL'],
    words: ['ALL', 'NONE', ',', "'", '"', '__proto__='],
    hold: (text) => {
      const parts = splitExportList(text);
      must(
        parts.every((part) => part !== '' && text.includes(part)),
        'a part that is not there',
        parts,
      );
      const made = exportEnvironment({ PATH: '/bin' }, { list: text });
      for (const [name, value] of Object.entries(made))
        must(name === 'PATH' || text.includes(`${name}=${value ?? ''}`), 'a variable that nobody names', name);
    },
  },
  {
    name: 'slurm/submit/export-environment#parseExportFile',
    seeds: ['A=1\0B=2\0', 'A\0=x\0B==\n\0'],
    hold: (text) => {
      for (const [name, value] of Object.entries(parseExportFile(text)))
        must(name !== '' && text.includes(`${name}=${value ?? ''}`), 'a variable that is not there', name);
    },
  },
  {
    name: 'slurm/submit/split-simple-command#splitSimpleCommand',
    seeds: ['a b c', `X=1 exec a 'b c' "d e" \\x`, 'hpc-submit-dockerjob --image x -- true'],
    words: ["'", '"', '\\', '$x', '`', ';', ' '],
    hold: (text) => {
      const words = splitSimpleCommand(text);
      if (words === undefined) return;
      const plain = words.join('').length;
      must(plain <= text.length, 'letters that are not there', words);
      must(!/[`;&|<>\n]/.test(text.trim().replaceAll(/'[^']*'|"[^"]*"|\\./gs, '')), 'what a shell would do', words);
    },
  },
  {
    name: 'middleware/slurm/parse-own-call#parseOwnCall',
    seeds: ['--image x -- true', '--json=f --stdin --env A=1', 'doctor --slurm', '--shm-size 4g -- a b'],
    words: ['--image ', '--', '--env ', '=', 'explain '],
    hold: (text) => {
      const words = text.split(' ');
      const call = taken(['USAGE'], () => parseOwnCall({ words, assignments: [] }, ['explain', 'doctor']));
      if (call === undefined || call === 'other') return;
      const separator = words.indexOf('--');
      mustEqual([...call.command], separator < 0 ? [] : words.slice(separator + 1), 'another command');
    },
  },
  {
    name: 'lsf/esub/find-second-command#findSecondCommand',
    seeds: ['a b; c', 'a \'x;y\' "z|w" `q` (r;s) 2>&1', 'a & b', 'a \\; b'],
    hold: (text) => {
      const second = findSecondCommand(text);
      must(second === undefined || text.endsWith(second), 'what is no end of it', second);
    },
  },
  {
    name: 'lsf/esub/merge-resources#addLicenses',
    seeds: ['select[type==any] rusage[mem=1]', 'rusage[solver=1:post=2]', 'order[x] same[y]'],
    words: ['select[', 'rusage[', ']', 'order[', 'rusage[solver=1', '||', ' '],
    hold: (text) => {
      const merged = taken(['REQUEST_INVALID'], () => addLicenses(text, 'solver=1'));
      must(merged === undefined || merged.includes('solver='), 'no licence asked for', merged);
    },
  },
  {
    name: 'lsf/esub/parse-esub-names#parseEsubNames',
    seeds: ['one two(a,b)', 'docker(hpc/x:1) foam', 'a(b\\,c)'],
    words: ['(', ')', 'a(', ',', '\\', ' '],
    hold: (text) => {
      for (const { name, words = [] } of parseEsubNames(text)) {
        must(!/[\s()]/.test(name) && text.includes(name), 'a name', name);
        must(
          words.every((word) => word === word.trim()),
          'a word',
          words,
        );
      }
    },
  },
  {
    name: 'lsf/esub/find-job-starter#parseJobStarter',
    seeds: ['QUEUE: normal\n  -- x\nJOB_STARTER:  hpc-submit-dockerjob starter\n'],
    hold: (text) => must(parseJobStarter(text, 'normal')?.includes('\n') !== true, 'several lines'),
  },
  {
    name: 'lsf/configuration/parse-configuration#parseAssignments',
    seeds: ['A = b\n#x\nLSB_CONFDIR="/x" \\\n y\n'],
    words: [' = ', '\\\n', '= '],
    hold: (text) => {
      for (const name of parseAssignments(text).keys()) must(/^\w+$/.test(name), 'a name', name);
    },
  },
  {
    name: 'lsf/configuration/parse-configuration#parseSections',
    seeds: [section + section],
    words: ['Begin Queue\n', 'End Queue\n', '\n\n', '\n '],
    hold: (text) => {
      for (const { keywords } of parseSections(text, 'Queue', 'QUEUE_NAME'))
        for (const name of keywords.keys()) must(/^\w+$/.test(name), 'a name', name);
    },
  },
  {
    name: 'lsf/read-abort-value#readAbortValue',
    seeds: ['97', '0', '256'],
    hold: (text) => {
      const value = readAbortValue(text, 97);
      must(Number.isInteger(value) && value > 0 && value < 256, 'no status', value);
    },
  },
  {
    name: 'middleware/lsf/find-command-line#findCommandLine',
    seeds: ['LSB_SUB_QUEUE="q"\nLSB_SUB_COMMAND_LINE="a b"\n'],
    hold: (text) => void findCommandLine(text, () => [['bsub', 'a', 'b']]),
  },
  {
    name: 'lsf/starter/read-job-command#readJobCommand',
    seeds: ['A=b\u001ebash\u001e-c\u001ex', '/home/alice/.lsbatch/1795157545.772.shell', '=x'],
    words: ['\u001e', '/.lsbatch/1.2.shell'],
    hold: (text) => {
      const command = taken(['COMMAND_EMPTY', 'REQUEST_INVALID'], () =>
        readJobCommand(text.split('\u001e'), () => false),
      );
      if (command !== undefined) must(command.argv.length > 0 && command.argv[0] !== '', 'no command', command);
    },
  },
];

const pbsAnswer =
  'Job Id: 12.server\n    Job_Name = x\n    Job_Owner = alice@n1\n    job_state = R\n    queue = batch\n    exec_host = n1/0*4+n2/1\n    Variable_List = A=b,\n\tC=d\n';

const ofOthers: readonly HostileParser[] = [
  {
    name: 'gridengine/parse-xml#parseXml',
    seeds: ['<?xml version=\'1.0\'?>\n<a x="1"><b>t</b><c/></a>', hostileJob],
    words: ['<a>', '</a>', '<a ', ' x="', '<', '/>', "='", '<?xml'],
    hold: (text) => void parseXml(text),
  },
  {
    name: 'gridengine/read-answers#readDetails',
    seeds: [hostileJob, '<unknown_jobs><element><ST_name>1</ST_name></element></unknown_jobs>'],
    words: ['<JB_owner>root</JB_owner>', '</JB_owner>', '<element>', '</VA_value>'],
    hold: (text) => {
      const details = readDetails(text, '1');
      if (details === undefined || details === 'unknown') return;
      must(!details.owner.includes('<'), 'an owner', details.owner);
      for (const bytes of details.memoryRequests.values()) must(bytes > 0, 'no memory', bytes);
    },
  },
  {
    name: 'gridengine/read-answers#readConsumables',
    seeds: ['#name shortcut\nh_vmem h_vmem MEMORY <= YES YES 0 0\nh_rss h_rss MEMORY <= YES NO 0 0\n'],
    words: ['YES', ' ', 'h_rss', '\n'],
    hold: (text) => {
      for (const name of readConsumables(text)) must(/^\S+$/.test(name), 'a name', name);
    },
  },
  {
    name: 'gridengine/read-answers#readShares',
    seeds: [taskShares({}, { id: '2', tasks: '3' })],
    words: ['<JB_owner>root</JB_owner>', '<queue_name>all.q@n9</queue_name>', '</job_list><job_list state="running">'],
    hold: (text) => {
      for (const { host } of readShares(text) ?? []) must(host !== '' && !host.includes('@'), 'a host', host);
    },
  },
  {
    name: 'gridengine/read-pe-hostfile#readPeHostfile',
    seeds: ['n1 4 all.q@n1 UNDEFINED\nn2 2 all.q@n2 0,0:0,1\n'],
    words: ['0,0:', ' 2 '],
    hold: (text) => {
      for (const { slots } of taken(wrongAllocation, () => readPeHostfile(inFile(text))) ?? [])
        must(slots > 0 && slots < 100_000, 'no number', slots);
    },
  },
  {
    name: 'gridengine/read-allocation#readAllocation',
    seeds: ['n1 4 all.q@n1 UNDEFINED\nn2 2 all.q@n2 0,0:0,1\n'],
    hold: (text) => {
      const environment = { JOB_ID: '12', SGE_TASK_ID: 'undefined', HOSTNAME: 'n1', PE_HOSTFILE: inFile(text) };
      mustBeAllocation(taken(wrongAllocation, () => readGridEngineAllocation(environment)));
      const variables = { JOB_ID: text.slice(0, 30), SGE_TASK_ID: text.slice(-30), HOSTNAME: text };
      mustBeAllocation(taken(wrongAllocation, () => readGridEngineAllocation(variables)));
    },
  },
  {
    name: 'pbs/read-allocation#readAllocation',
    seeds: ['n1\nn1\nn2\n', '123[4].server'],
    hold: (text) => {
      const environment = { PBS_JOBID: '123.server', PBS_NODEFILE: inFile(text), NCPUS: text };
      mustBeAllocation(taken(wrongAllocation, () => readPbsAllocation(environment)));
      mustBeAllocation(
        taken(wrongAllocation, () => readPbsAllocation({ PBS_JOBID: text, PBS_NODEFILE: inFile('n1') })),
      );
    },
  },
  {
    name: 'pbs/read-qstat#readQstat',
    seeds: [pbsAnswer],
    words: ['\n    Job_Owner = root@n1', '\n\t', '\nJob Id: 9.x', '\n    job_state = Q', '    exec_host = n9/0'],
    hold: (text) => {
      const facts = readQstat(text);
      if (facts !== undefined) must(!/[\n@]/.test(facts.user), 'a user', facts.user);
    },
  },
  {
    name: 'pbs/read-qstat#parseExecHost',
    seeds: ['n1/0*4+n2/1', 'n1/0+n1/1', 'n1/0-3,5'],
    words: ['0-99999,', '*99999', '+n1/'],
    hold: (text) => {
      const slots = parseExecHost(text);
      if (slots === undefined) return;
      mustBeHosts([...slots.keys()], Infinity);
      for (const count of slots.values()) must(Number.isSafeInteger(count) && count > 0, 'no slots', count);
    },
  },
  {
    name: 'allocation/read-gpus#readGpus',
    seeds: ['0,1', 'GPU-1a2b,MIG-x/1/2', 'NoDevFiles'],
    hold: (text) => {
      const gpus = readGpus(text);
      must(gpus.length <= 64 && gpus.every((name) => /^[\w/-]+$/.test(name)), 'a device', gpus);
    },
  },
  {
    name: 'contract/job-request#hostNameSchema',
    seeds: ['n1', 'a.b-c.example', `n${'a'.repeat(252)}`],
    hold: (text) => {
      if (hostNameSchema.safeParse(text).success) mustBeHosts([text]);
    },
  },
];

export const schedulerParsers: readonly HostileParser[] = [...ofSlurm, ...ofLsf, ...ofOthers];
