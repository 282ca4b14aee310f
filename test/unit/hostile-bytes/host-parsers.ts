import { deflateRawSync } from 'node:zlib';
import * as z from 'zod';
import { hierarchiesBelow, parseCgroups } from '../../../src/cgroup/hierarchies.ts';
import { parseSite } from '../../../src/config/parse-site.ts';
import { agentMessageSchema } from '../../../src/contract/agent-protocol.ts';
import { findingSchema, renderFinding } from '../../../src/contract/finding.ts';
import { helperEventSchema } from '../../../src/contract/helper-events.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { jobPlanSchema } from '../../../src/contract/job-plan.ts';
import type { JobPlan } from '../../../src/contract/job-plan.ts';
import { isOwnContainer } from '../../../src/contract/own-objects.ts';
import { isSchedulerJobId } from '../../../src/contract/schedulers.ts';
import { propagationOf } from '../../../src/docker/choose-mount-propagation.ts';
import { DeviceEntries } from '../../../src/docker/device-entries.ts';
import {
  distributionAnswerSchema,
  imageAnswerSchema,
  infoAnswerSchema,
  pullLineSchema,
} from '../../../src/docker/engine-answers.ts';
import { LayerCount } from '../../../src/docker/fetch-image.ts';
import { explainRegistryFault } from '../../../src/docker/registry-fault.ts';
import { findUpperDirectory } from '../../../src/docker/find-writable-layer.ts';
import { ImageFault, readEntry } from '../../../src/docker/read-image-files.ts';
import { findConfinementFaults } from '../../../src/docker/verify-confinement.ts';
import { ChainCheck, readLink } from '../../../src/helper/audit/chain.ts';
import { maxRecordBytes, writeRecord } from '../../../src/helper/audit/write-record.ts';
import { parseHelperMark } from '../../../src/helper/host/helper-marks.ts';
import { parseStat } from '../../../src/helper/host/read-process.ts';
import { groupText, namesOfNodes, passwdText } from '../../../src/helper/host/run-directory.ts';
import { parseSubnetClaim } from '../../../src/helper/job/claim-subnet.ts';
import { parseEarlierRun } from '../../../src/helper/job/earlier-runs.ts';
import { parseJobState } from '../../../src/helper/job/job-state.ts';
import { parsePlan } from '../../../src/contract/plan-text.ts';
import { parseRoster } from '../../../src/contract/roster-text.ts';
import { findConfigurationFaults } from '../../../src/helper/node/judge-image.ts';
import { findMount, liesBelow, parseMountTable } from '../../../src/system/mount-table.ts';
import { isolateAgent } from '../../../src/policy/describe-container.ts';
import { listVolumes } from '../../../src/policy/list-volumes.ts';
import { answerSchema, requestSchema } from '../../../src/local-store/wire.ts';
import { listListening } from '../../../src/middleware/doctor/check-docker-port.ts';
import { parseRoutes } from '../../../src/middleware/doctor/check-subnet-pool.ts';
import { runOrderSchema } from '../../../src/middleware/lsf/prologue/held-job.ts';
import { holderWordSchema } from '../../../src/middleware/lsf/prologue/holder-word.ts';
import { readUmask } from '../../../src/middleware/read-umask.ts';
import { requireEnd } from '../../../src/network/solo/driver.ts';
import { planTunnel } from '../../../src/network/vxlan/tunnel.ts';
import { judgePlan, planNeedsQueue } from '../../../src/policy/judge-plan.ts';
import { encodeFrame, FrameReader, maxFrameBytes } from '../../../src/system/frames.ts';
import { oneLine } from '../../../src/values/one-line.ts';
import { makePlan } from '../../support/make-plan.ts';
import {
  must,
  mustBeHosts,
  mustBePath,
  mustBePlain,
  mustEqual,
  mustLeaveObjectsAlone,
  taken,
} from '../../support/hostile-bytes.ts';
import type { HostileParser } from '../../support/hostile-bytes.ts';

const job = requireJobKey('12');
const plan = JSON.stringify(makePlan({ hosts: ['c1', 'c2'] }));
const publicKey = `ssh-ed25519 ${'A'.repeat(68)}`;
const peer = {
  index: 0,
  hostname: '12-node-0',
  host: 'c1',
  ip: '10.128.4.1',
  slots: 1,
  sshPublicKey: publicKey,
  hostPublicKey: publicKey,
};
const roster = JSON.stringify([peer, { ...peer, index: 1 }]);

const site = parseSite(
  'version: 1\nimages: {allowed: [{image: "lab/**"}]}\nmounts: {allowed: [{source: /scratch, always: true}]}\n',
);
const alice = { name: 'alice', uid: 2001, gid: 2001, home: '/home/alice', groups: [{ gid: 2001, name: 'alice' }] };

/** What a plan that one of the cluster's hosts has written, whoever has its certificate, makes of another host. */
function holdPlan(text: string): void {
  const parsed = jobPlanSchema.safeParse(jsonOr(text));
  mustLeaveObjectsAlone();
  if (!parsed.success) return;
  mustEqual(jobPlanSchema.parse(JSON.parse(JSON.stringify(parsed.data))), parsed.data, 'read again');
  mustBeHosts(parsed.data.nodes.map(({ host }) => host));
  mustBePath(parsed.data.workdir);
  must(isSchedulerJobId(parsed.data.scheduler, parsed.data.schedulerJobId), 'no job id', parsed.data.schedulerJobId);
  planNeedsQueue(site, parsed.data);
  const policy = [
    'IMAGE_NOT_ALLOWED',
    'APPLICATION_NOT_ALLOWED',
    'MOUNT_NOT_ALLOWED',
    'SHM_NOT_ALLOWED',
    'DEVICE_NOT_ALLOWED',
  ] as const;
  const judged = taken([...policy, 'HOST_UNFIT', 'JOB_NOT_YOURS'], () =>
    judgePlan(site, parsed.data, { host: 'c1', user: alice, queue: undefined }),
  );
  if (judged === undefined) return;
  mustEqual([judged.user.uid, judged.user.gid, judged.user.name], [2001, 2001, 'alice'], 'the user');
  must(
    judged.mounts.every(({ source, target }) => source === '/scratch' && target === '/scratch'),
    'a mount',
    judged.mounts,
  );
  const users = passwdText(judged).split('\n');
  must(users.length === 4 && users.slice(0, 3).every((line) => line.split(':').length === 7), 'a user more', users);
  must(groupText(judged).split('\n').length === 3, 'a group more', judged.user.groups);
  const names = namesOfNodes(judged).flat();
  must(new Set(names).size === names.length && !names.includes('localhost'), 'a name of two', names);
  const [own] = judged.nodes;
  if (own === undefined) return;
  for (const describe of [planTunnel, requireEnd]) taken(['HOST_UNFIT'], () => describe(judged, own));
}

const packNodes = (columns: object): string => deflateRawSync(JSON.stringify(columns)).toString('base64');

const keys = {
  '/12/FINISH': 'FALSE',
  '/12/PLAN': plan,
  '/12/ROSTER': roster,
  '/12/START': '{"command":{"kind":"argv","argv":["x"]},"environment":{"A":"b"}}',
  '/12/SIGNAL': 'SIGUSR1 SIGUSR2',
  '/12/WANTED': 'running',
  '/12/EXITCODE': '7',
  '/12/REASON': 'NODE_LOST: x',
  '/12/12_node_0/PHASE': 'ready',
  '/12/12_node_0/IP': '10.128.4.1',
  '/12/12_node_0/SSHPUBKEY': publicKey,
  '/12/12_node_0/ERROR': 'NODE_LOST: x',
};

const ofStore: readonly HostileParser[] = [
  { name: 'contract/job-plan#jobPlanSchema', isJson: true, seeds: [plan, JSON.stringify(makePlan())], hold: holdPlan },
  {
    name: 'contract/plan-text#parsePlan',
    isJson: true,
    seeds: [
      JSON.stringify({
        ...makePlan({ hosts: ['c1', 'c2'] }),
        nodes: { count: 2, packed: packNodes({ hosts: ['c1', 'c2'], addresses: ['192.0.2.1', ''], slots: [1, 2] }) },
      }),
    ],
    hold: (text) => {
      let found: JobPlan;
      try {
        found = parsePlan(text);
      } catch {
        mustLeaveObjectsAlone();
        return;
      }
      mustLeaveObjectsAlone();
      mustBeHosts(found.nodes.map(({ host }) => host));
      mustEqual(parsePlan(JSON.stringify(found)), found, 'read again');
    },
  },
  {
    name: 'helper/job/job-state#parseJobState',
    isJson: true,
    seeds: [
      JSON.stringify(keys),
      JSON.stringify({ '/12/FINISHED': 'TRUE', '/12/EXITCODE': '0', '/12/REASON': 'command' }),
    ],
    hold: (text) => {
      const value: unknown = jsonOr(text);
      const pairs = typeof value === 'object' && value !== null ? Object.entries(value) : [[text, text] as const];
      const entries = pairs.map(([key, each]) => ({
        ...{ key, value: typeof each === 'string' ? each : JSON.stringify(each ?? null) },
        ...{ createRevision: '1', modRevision: '1' },
      }));
      const state = taken(['PLAN_UNREADABLE'], () => parseJobState('', job, entries));
      if (state === undefined) return;
      must(
        state.end === undefined || (state.end.exitStatus >= 0 && state.end.exitStatus <= 255),
        'no status',
        state.end,
      );
      must(
        state.signals.every((signal) => /^SIGUSR[12]$/.test(signal)),
        'a signal',
        state.signals,
      );
      for (const { sshPublicKey = publicKey } of state.nodes.values()) mustBePlain(sshPublicKey, 'a key');
    },
  },
  {
    name: 'contract/roster-text#parseRoster',
    isJson: true,
    seeds: [roster, `{"nodes":300,"first":{"index":0,"sshPublicKey":"${publicKey}","hostPublicKey":"${publicKey}"}}`],
    hold: (text) => {
      const found = parseRoster(text);
      for (const { sshPublicKey, hostPublicKey, host = 'c1' } of found === undefined
        ? []
        : 'nodes' in found
          ? [{ ...found.first, host: 'c1' }]
          : found) {
        mustBePlain(sshPublicKey + hostPublicKey, 'a key');
        mustBeHosts([host]);
      }
    },
  },
  {
    name: 'helper/job/claim-subnet#parseSubnetClaim',
    isJson: true,
    seeds: ['{"job":"12","token":"0a","since":"2026-01-01T00:00:00.000Z","index":4}'],
    hold: (text) => must(Number.isInteger(parseSubnetClaim(text)?.index ?? 0), 'no index'),
  },
  {
    name: 'helper/job/earlier-runs#parseEarlierRun',
    isJson: true,
    seeds: ['{"job":"12","token":"0a","cidr":"10.128.4.0/24","hosts":["c1"],"since":"2026-01-01T00:00:00.000Z"}'],
    hold: (text) =>
      must(
        (parseEarlierRun(text)?.hosts ?? []).every((host) => typeof host === 'string'),
        'no host',
      ),
  },
  ...[requestSchema, answerSchema].map((schema: z.ZodType, index): HostileParser => ({
    name: `local-store/wire#${index === 0 ? 'requestSchema' : 'answerSchema'}`,
    isJson: true,
    seeds: [
      '{"id":1,"call":"commit","conditions":[{"kind":"absent","key":"/a"}],"puts":[{"key":"/a","value":"b"}],"deletes":[]}',
      '{"id":1,"entries":[{"key":"/a","value":"b","createRevision":"1","modRevision":"2"}]}',
      '{"id":1,"error":{"code":"BUG","message":"x"}}',
    ],
    hold: (text) => void holdSchema(schema, text),
  })),
];

const hello = JSON.stringify({ type: 'hello', sshPublicKey: publicKey, hostPublicKey: publicKey });

const ofContainers: readonly HostileParser[] = [
  {
    name: 'contract/agent-protocol#agentMessageSchema',
    isJson: true,
    seeds: [
      hello,
      '{"type":"exited","exitStatus":7}',
      '{"type":"failed","code":"NODE_LOST","message":"x"}',
      '{"type":"note","message":"x"}',
    ],
    hold: (text) => {
      const message = holdSchema(agentMessageSchema, text);
      if (message?.type === 'hello') mustBePlain(message.sshPublicKey, 'a key');
      if (message?.type === 'exited') must(message.exitStatus >= 0 && message.exitStatus <= 255, 'no status', message);
    },
  },
  {
    name: 'system/frames#FrameReader',
    mostBytes: 16_000,
    seeds: [encodeFrame(1, '{"host":"node-1"}').toString('latin1'), encodeFrame(2, 'ab').toString('latin1').repeat(3)],
    words: ['\0\0\0\u0001', '\u00ff\u00ff\u00ff\u00ff', '\0\u0010\0\0'],
    hold: (text) => {
      const bytes = Buffer.from(text, 'latin1');
      const whole = readFrames([bytes]);
      const half = Math.floor(bytes.length / 2);
      mustEqual(readFrames([bytes.subarray(0, half), bytes.subarray(half)]), whole, 'in two pieces');
      mustEqual(readFrames(cutUp(bytes)), whole, 'in many pieces');
    },
  },
  {
    name: 'contract/helper-events#helperEventSchema',
    isJson: true,
    seeds: [
      '{"event":"finished","end":{"by":"command","exitStatus":7}}',
      '{"event":"released","leftovers":["x"],"hosts":"done"}',
      '{"event":"node","index":0,"host":"c1","phase":"ready"}',
    ],
    hold: (text) => void holdSchema(helperEventSchema, text),
  },
  {
    name: 'contract/finding#findingSchema',
    isJson: true,
    seeds: ['{"check":"store","verdict":"fail","message":"x","hint":"y","code":"STORE_FULL"}'],
    hold: (text) => {
      const finding = holdSchema(findingSchema, text);
      if (finding !== undefined) must(!/\p{C}/u.test(renderFinding(finding)), 'a line that steers', finding);
    },
  },
  {
    name: 'middleware/lsf/prologue/holder-word#holderWordSchema',
    isJson: true,
    seeds: ['{"ready":true}', '{"ended":{"by":"command","exitStatus":7}}'],
    hold: (text) => void holdSchema(holderWordSchema, text),
  },
  {
    name: 'middleware/lsf/prologue/held-job#runOrderSchema',
    isJson: true,
    seeds: [
      '{"command":{"kind":"argv","argv":["x"]},"environment":{},"umask":18,"wanted":{"image":"a","workdir":"/x"}}',
    ],
    hold: (text) => void holdSchema(runOrderSchema, text),
  },
];

/** One entry of a tar archive. */
function tarEntry(type: string, size: string, link: string, content = ''): string {
  const fields = [
    'name'.padEnd(100, '\0'),
    '0000644\0',
    '0000000\0',
    '0000000\0',
    size.padEnd(12, '\0'),
    '0'.repeat(12),
    ' '.repeat(8),
    type,
    link.padEnd(100, '\0'),
  ];
  return fields.join('').padEnd(512, '\0') + content.padEnd(Math.ceil(content.length / 512) * 512, '\0');
}

/** What the engine lists: texts, which an image may have chosen. */
const listedObject = z.object({
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  mounts: z.array(z.object({ type: z.string(), source: z.string(), target: z.string() })),
});

const ofImages: readonly HostileParser[] = [
  {
    name: 'docker/read-image-files#readEntry',
    seeds: [
      tarEntry('0', '00000000003', '', 'abc'),
      tarEntry('2', '00000000000', '/a/b'),
      tarEntry('x', '00000000020', '', '20 linkpath=/a/b/c/d\n') + tarEntry('2', '0', '/a'),
    ],
    words: ['\0', '77777777777', '-7777777', '\u0080\0\0\0\0\0\u00ff', 'K', 'x', ' linkpath=', '1'.repeat(90)],
    hold: (text) => {
      try {
        const { link, content } = readEntry(Buffer.from(text, 'latin1'), '/x');
        must(!link.includes('\0') && content.length <= text.length, 'more than there is', link);
      } catch (error) {
        if (!(error instanceof ImageFault)) throw error;
      }
    },
  },
  {
    name: 'docker/device-entries#DeviceEntries',
    seeds: [
      tarEntry('4', '00000000000', '') + tarEntry('0', '00000000003', '', 'abc'),
      tarEntry('x', '00000000020', '', '20 linkpath=/a/b/c/d\n') + tarEntry('3', '00000000000', ''),
    ],
    words: ['\0', '77777777777', '-7777777', '\u0080\0\0\0\0\0\u00ff', 'L', 'x', '3', '4', '1'.repeat(90)],
    hold: (text) => {
      const entries = new DeviceEntries();
      try {
        for (const piece of [text.slice(0, 300), text.slice(300)]) entries.take(Buffer.from(piece, 'latin1'));
        must(entries.found.length <= text.length / 512, 'more than there is', entries.found);
      } catch (error) {
        if (!(error instanceof ImageFault)) throw error;
      }
    },
  },
  {
    name: 'docker/engine-answers#imageAnswerSchema',
    isJson: true,
    seeds: [
      `{"Id":"sha256:${'a'.repeat(64)}","RepoDigests":[],"Architecture":"amd64","Os":"linux","Config":{"Env":["A=b","=x"],"Volumes":{"/v":{},"/a/../b":{}},"ExposedPorts":{"1/tcp":{}}}}`,
    ],
    hold: (text) => {
      const answer = imageAnswerSchema.safeParse(jsonOr(text)).data;
      mustLeaveObjectsAlone();
      if (answer === undefined) return;
      const facts = {
        ...{
          environment: answer.Config?.Env ?? [],
          volumes: answer.Config?.Volumes ?? [],
          architecture: answer.Architecture,
        },
        ...{ os: answer.Os, exposedPorts: 1, configurationLength: 1 },
      };
      for (const fault of findConfigurationFaults(facts)) mustBePlain(oneLine(fault, 1000), 'a fault');
      if (findConfigurationFaults(facts).length > 0) return;
      listVolumes(facts).forEach(mustBePath);
      const { containerEnvironment, restored } = isolateAgent(facts.environment);
      must(
        Object.keys({ ...containerEnvironment, ...restored }).every((name) => /^\w+$/.test(name)),
        'a variable',
        restored,
      );
    },
  },
  {
    name: 'docker/engine-answers#infoAnswerSchema',
    isJson: true,
    seeds: [
      '{"ServerVersion":"20.10","CgroupDriver":"cgroupfs","CgroupVersion":"1","SecurityOptions":["name=seccomp"]}',
    ],
    hold: (text) => void infoAnswerSchema.safeParse(jsonOr(text)),
  },
  {
    name: 'docker/engine-answers#distributionAnswerSchema',
    isJson: true,
    seeds: [
      `{"Descriptor":{"digest":"sha256:${'a'.repeat(64)}","size":424},"Platforms":[{"architecture":"amd64","os":"linux"}]}`,
    ],
    hold: (text) => {
      const answer = distributionAnswerSchema.safeParse(jsonOr(text)).data;
      mustLeaveObjectsAlone();
      if (answer !== undefined && !/^sha256:[0-9a-f]{64}$/.test(answer.Descriptor.digest)) throw new Error('no digest');
    },
  },
  {
    name: 'docker/engine-answers#pullLineSchema',
    isJson: true,
    seeds: [
      '{"status":"Downloading","progressDetail":{"current":1,"total":4311},"id":"bcb151c39a23"}',
      '{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}',
    ],
    hold: (text) => {
      const line = pullLineSchema.safeParse(jsonOr(text)).data;
      if (line === undefined) return;
      const layers = new LayerCount();
      layers.take(line);
      const { bytes, total } = layers.sum();
      if (!(bytes >= 0 && bytes <= total)) throw new Error(`${bytes} of ${total}`);
      if (line.error !== undefined) mustBePlain(explainRegistryFault('r.example', line.error).toLine(), 'a fault');
    },
  },
  {
    name: 'contract/own-objects#isOwnContainer',
    isJson: true,
    seeds: [
      '{"name":"hpcdj-12-node-0","labels":{"hpcdj.job":"12","hpcdj.node":"0"},"mounts":[{"type":"bind","source":"/run/hpc-dockerjob/12/node-0/helper","target":"/.hpcdj/helper"}]}',
    ],
    hold: (text) => {
      const found = listedObject.safeParse(jsonOr(text)).data;
      if (found === undefined) return;
      const isOfRoot = found.mounts.some(
        ({ source, type }) => type === 'bind' && source.startsWith('/run/hpc-dockerjob/'),
      );
      must(!isOwnContainer(found) || isOfRoot, 'not ours', found);
    },
  },
];

const status =
  'Name:\tnode\nUmask:\t0022\nUid:\t2001\t2001\t2001\t2001\nGid:\t2001\t2001\t2001\t2001\nGroups:\t2001 \nNoNewPrivs:\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nSeccomp:\t2\nvoluntary_ctxt_switches:\t1\n';
const mountinfo =
  '24 1 0:22 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/l,upperdir=/var/lib/docker/overlay2/a/diff,workdir=/w\n25 24 0:5 / /scr\\040atch rw master:3 - ext4 /dev/sda rw\n';

const ofKernel: readonly HostileParser[] = [
  {
    name: 'helper/host/read-process#parseStat',
    seeds: [`123 (a) b) R 1 ${'7 '.repeat(40)}\u001e${status}`],
    words: [') R 0 ', '(', '\nUid:\t0\t0\t0\t0', '\u001e'],
    hold: (text) => {
      const [line = '', facts = ''] = text.split('\u001e');
      must(parseStat(line, facts).uids.length > 0, 'no uids');
    },
  },
  {
    name: 'helper/host/helper-marks#parseHelperMark',
    seeds: ['helper-123-456-7.89'],
    hold: (text) => {
      const mark = parseHelperMark(text);
      if (mark !== undefined) must(Number.isSafeInteger(mark.pid) && /^[\w.-]+$/.test(mark.name), 'a mark', mark);
    },
  },
  {
    name: 'cgroup/hierarchies#parseCgroups',
    seeds: ['12:memory:/slurm/uid_2001/job_12/step_0\n3:name=systemd:/user.slice\n0::/x\n'],
    hold: (text) => {
      for (const { path } of parseCgroups(text)) must(!path.includes('\n'), 'a path', path);
      hierarchiesBelow(text, '/slurm/uid_2001/job_12');
    },
  },
  {
    name: 'docker/verify-confinement#findConfinementFaults',
    seeds: [status],
    words: ['\nUid:\t0\t0\t0\t0', '\nGroups:\t0 6', '\nSeccomp:\t0', '\nCapEff:\t1', '\nNoNewPrivs:\t0'],
    hold: (text) => {
      const faults = findConfinementFaults(text, { uid: 2001, gid: 2001, supplementaryGids: [] });
      if (faults.length === 0)
        must(/^Uid:(?:\s+0*2001){4}\s*$/m.test(text) && /^Seccomp:\s*2\s*$/m.test(text), 'not confined', text);
    },
  },
  {
    name: 'docker/find-writable-layer#findUpperDirectory',
    seeds: [mountinfo],
    words: [',upperdir=', '\\000', '\\057', '\\999', ' - overlay '],
    hold: (text) => must(text.includes('\0') || findUpperDirectory(text)?.includes('\0') !== true, 'a NUL'),
  },
  {
    name: 'docker/choose-mount-propagation#propagationOf',
    seeds: [mountinfo],
    words: [' shared:1', ' - ', '\n26 1 0:1 / /scratch rw'],
    hold: (text) => must(['rslave', 'rprivate'].includes(propagationOf(text, '/scratch/a')), 'none'),
  },
  {
    name: 'system/mount-table#parseMountTable',
    seeds: [mountinfo],
    words: [' - proc proc', '\\040', '\n26 1 0:1 / /scratch/a rw - proc x rw'],
    hold: (text) => {
      const table = parseMountTable(text);
      const found = findMount('/scratch/a', table);
      const covers = found === undefined || liesBelow('/scratch/a', found.mountPoint);
      must(covers && table.every(({ mountPoint }) => liesBelow(mountPoint, mountPoint)), 'another mount');
    },
  },
  {
    name: 'middleware/read-umask#readUmask',
    seeds: [status],
    words: ['\nUmask:\t0777'],
    hold: (text) => {
      const umask = readUmask(() => text);
      must(umask >= 0 && umask <= 0o777, 'no umask', umask);
    },
  },
  {
    name: 'middleware/doctor/check-subnet-pool#parseRoutes',
    seeds: ['Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t0000A8C0\t0\t1\t0\t0\t0\t00FFFFFF\n'],
    hold: (text) => {
      for (const { cidr } of parseRoutes(text)) must(/^[\d.]+\/\d+$/.test(cidr), 'no network', cidr);
    },
  },
  {
    name: 'middleware/doctor/check-docker-port#listListening',
    seeds: ['  sl  local_address\n   0: 0100007F:0947 00000000:0000 0A 00000000:00000000\n'],
    hold: (text) =>
      must(
        listListening(text).every((port) => port >= 0 && port < 65_536),
        'no port',
      ),
  },
];

const base = {
  time: '2026-01-01T00:00:00.000Z',
  host: 'n1',
  pid: 1,
  event: 'call',
  uid: 2001,
  verb: 'open-job',
} as const;
const link = (seq: number): string => JSON.stringify({ seq, prev: 'a'.repeat(64), host: 'n1' });

const ofRecords: readonly HostileParser[] = [
  {
    name: 'helper/audit/write-record#writeRecord',
    seeds: ['x', 'x","msg":"job-opened","uid":0', '\u0085\u2028\ud800'],
    words: ['","uid":0,"x":"', '"}\n{"seq":1'],
    hold: (text) => {
      const record = writeRecord({ ...base, job: text }, { message: text, list: [text, text] });
      must(/^\{[\u0020-\u007e]*\}$/.test(record) && record.length <= maxRecordBytes, 'no record', record);
      const read = JSON.parse(record) as Record<string, unknown>;
      mustEqual([read['uid'], read['event'], read['host']], [2001, 'call', 'n1'], 'forged');
      // What the appender makes of it, in shell.
      const appended = JSON.parse(`{"seq":7,"prev":"0","${record.slice(2)}`) as Record<string, unknown>;
      mustEqual([appended['seq'], appended['prev']], [7, '0'], 'forged');
    },
  },
  {
    name: 'helper/audit/chain#readLink',
    isJson: true,
    seeds: [link(7)],
    hold: (text) => must(Number.isSafeInteger(readLink(Buffer.from(text))?.seq ?? 0), 'no number'),
  },
  {
    name: 'helper/audit/chain#ChainCheck',
    mostBytes: 16_000,
    seeds: [[link(1), link(2), link(3)].join('\n')],
    words: [`\n${link(9)}`, '\n{"seq":', '\n', '{', '"host":"n1\\u001b[2J\\nn2"'],
    hold: (text) => {
      const check = new ChainCheck();
      for (const [index, line] of text.split('\n').entries())
        check.take({ place: `f:${index}`, bytes: Buffer.from(line) });
      for (const { text: said } of check.finish(new Map())) mustBePlain(said, 'what is said of a chain');
    },
  },
];

function holdSchema<T>(schema: z.ZodType<T>, text: string): T | undefined {
  const { data } = schema.safeParse(jsonOr(text));
  mustLeaveObjectsAlone();
  if (data !== undefined) mustEqual(schema.parse(JSON.parse(JSON.stringify(data))), data, 'read again');
  return data;
}

function readFrames(pieces: readonly Buffer[]): unknown {
  const reader = new FrameReader();
  try {
    return pieces.flatMap((piece) => reader.read(piece)).map(({ type, content }) => [type, content.toString('latin1')]);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    must(/frame of \d+/.test(error.message) && maxFrameBytes > 0, 'another error', error.message);
    return 'refused';
  }
}

/** A long text comes in pieces of which it has many. */
function cutUp(bytes: Buffer): readonly Buffer[] {
  const length = 3;
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, at) =>
    bytes.subarray(at * length, (at + 1) * length),
  );
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export const hostParsers: readonly HostileParser[] = [
  ...ofStore,
  ...ofContainers,
  ...ofImages,
  ...ofKernel,
  ...ofRecords,
];
