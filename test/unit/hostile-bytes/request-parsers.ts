import { parseSite } from '../../../src/config/parse-site.ts';
import { findForbidden } from '../../../src/config/forbidden-sources.ts';
import {
  entryOrderSchema,
  maxRequestBytes,
  parseEnterRequest,
  windowSizeSchema,
} from '../../../src/contract/enter-protocol.ts';
import { hostQuestionSchema } from '../../../src/contract/host-question.ts';
import { parseJobKey, requireJobKey } from '../../../src/contract/job-key.ts';
import { commandSchema } from '../../../src/contract/job-request.ts';
import { isOffered } from '../../../src/contract/offered-variables.ts';
import { isWithinBudget } from '../../../src/contract/request-budget.ts';
import { isAnySchedulerJobId } from '../../../src/contract/schedulers.ts';
import { hintAtFault } from '../../../src/discovery/launch/explain-failed-start.ts';
import { parseSshArguments } from '../../../src/discovery/relay/parse-ssh-arguments.ts';
import { identifyCaller, uidOf } from '../../../src/helper/caller/identify-caller.ts';
import { readJobRequest } from '../../../src/helper/keeper/read-job-request.ts';
import { orderSchema } from '../../../src/helper/keeper/receive-orders.ts';
import { helperVerbs } from '../../../src/helper/verbs/helper-verbs.ts';
import { readCommandLine } from '../../../src/helper/verbs/read-command-line.ts';
import { readInputWish } from '../../../src/middleware/decide-input.ts';
import { readJob } from '../../../src/middleware/shell/find-place.ts';
import { readRequest, readSurroundings, readVariables } from '../../../src/middleware/read-request.ts';
import { parseBytes } from '../../../src/values/parse-bytes.ts';
import { decideRequest } from '../../../src/policy/decide-request.ts';
import { passVariables } from '../../../src/policy/pass-variables.ts';
import { matchesImagePattern, parseImagePattern } from '../../../src/values/image-pattern.ts';
import {
  formatImageReference,
  parseImageReference,
  splitReference,
  splitRegistry,
} from '../../../src/values/image-reference.ts';
import { toJsonLine } from '../../../src/values/json-line.ts';
import { findNearestName } from '../../../src/values/nearest-name.ts';
import { endInOneLine, oneLine } from '../../../src/values/one-line.ts';
import { containsAddress, formatAddress, parseAddress, parseCidr } from '../../../src/values/subnet.ts';
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

const site = parseSite(
  'version: 1\nimages: {allowed: [{image: "hpc/**"}, {image: "registry.example:5000/**"}]}\nmounts: {allowed: [{source: /scratch, always: true}]}\napplications: {"x:1": {image: "hpc/x:1"}}\n',
);
const digest = `sha256:${'0a'.repeat(32)}`;

const request = {
  ...{ protocol: 1, launchId: '0123456789abcdef', scheduler: 'slurm', schedulerJobId: '772', job: '772' },
  ...{
    hosts: [
      { name: 'c1', slots: 1 },
      { name: 'c2', slots: 4 },
    ],
    image: 'hpc/app:1',
    workdir: '/scratch/a',
  },
  ...{
    command: { kind: 'argv', argv: ['mpirun', 'x'] },
    environment: { A: 'b' },
    offered: { TZ: 'UTC' },
    mounts: ['/scratch'],
    devices: ['fabric'],
  },
  ...{ umask: 18, input: false, shmBytes: 4096 },
};
const { image: _image, ...withoutImage } = request;
const requests = [
  request,
  { ...withoutImage, application: 'x:1', command: { kind: 'shell', text: 'a; b' } },
  { ...request, scheduler: 'lsf', schedulerJobId: '772[3]', job: '772_3', command: { kind: 'later' } },
].map((each) => JSON.stringify(each));

/** The caller and the policy are asked after this: what is taken must be fit for every later step. */
function holdRequest(text: string): void {
  const codes = ['REQUEST_INVALID', 'COMMAND_EMPTY'] as const;
  const read = taken(codes, () => readJobRequest(text, site));
  mustLeaveObjectsAlone();
  if (read === undefined) return;
  mustBeHosts(read.hosts.map(({ name }) => name));
  mustBePath(read.workdir);
  read.mounts.forEach(mustBePath);
  read.devices.forEach((name) => mustBePlain(name, 'a name of devices'));
  for (const plain of [read.image ?? '', read.application ?? '', read.schedulerJobId]) mustBePlain(plain, 'a word');
  must(isAnySchedulerJobId(read.schedulerJobId) && parseJobKey(read.job) === read.job, 'no job', read.job);
  for (const [name, value] of Object.entries({ ...read.offered, ...read.environment }))
    must(/^[A-Za-z_]\w*$/.test(name) && !value.includes('\0'), 'a variable', name);
  const { command } = read;
  if (command.kind === 'argv')
    must(
      command.argv.every((word) => !word.includes('\0')),
      'a word with a NUL',
    );
  must(
    command.kind === 'later' || isWithinBudget({ ...read, command: commandSchema.parse(command) }),
    'over the budget',
  );
  mustEqual(readJobRequest(JSON.stringify(read), site), read, 'read again');
  const wanted = { ...read, hostCount: read.hosts.length };
  const user = { name: 'alice', uid: 2001, gid: 2001, home: '/', groups: [] };
  const refusals = [
    'IMAGE_NOT_ALLOWED',
    'IMAGE_REFERENCE_INVALID',
    'IMAGE_MISSING_IN_REQUEST',
    'REQUEST_INVALID',
  ] as const;
  const others = [
    'APPLICATION_UNKNOWN',
    'MOUNT_NOT_ALLOWED',
    'WORKDIR_UNUSABLE',
    'SHM_NOT_ALLOWED',
    'DEVICE_NOT_ALLOWED',
  ] as const;
  const decided = taken([...refusals, ...others], () => decideRequest(site, wanted, { user, queue: undefined }));
  if (decided !== undefined)
    must(/^(?:hpc|registry\.example:5000)\//.test(decided.imageReference), 'an image', decided);
}

const order = [
  { order: 'cancel', signal: 'SIGTERM' },
  { order: 'want', state: 'suspended' },
  { order: 'command', command: { kind: 'argv', argv: ['x'] }, environment: { A: 'b' }, umask: 18 },
  { order: 'launcher-ended', status: 1, signal: 'SIGKILL', detail: 'x' },
  { order: 'task-ended', hosts: ['n1'], how: 'was killed', detail: 'x' },
].map((each) => JSON.stringify(each));

const ofRequests: readonly HostileParser[] = [
  { name: 'helper/keeper/read-job-request#readJobRequest', isJson: true, seeds: requests, hold: holdRequest },
  {
    name: 'helper/keeper/receive-orders#orderSchema',
    isJson: true,
    seeds: order,
    hold: (text) => {
      const read = orderSchema.safeParse(jsonOr(text, undefined));
      mustLeaveObjectsAlone();
      if (read.success) mustEqual(orderSchema.parse(JSON.parse(JSON.stringify(read.data))), read.data, 'read again');
    },
  },
  {
    name: 'contract/host-question#hostQuestionSchema',
    isJson: true,
    seeds: ['{"scope":"full","image":"hpc/x:1","hostCount":2,"scheduler":"slurm"}'],
    hold: (text) => {
      const read = hostQuestionSchema.safeParse(jsonOr(text, undefined)).data;
      must((read?.image ?? '').length <= 512, 'a long image');
    },
  },
  {
    name: 'contract/job-key#parseJobKey',
    seeds: ['772', '772_3', '7'.repeat(18)],
    hold: (text) => {
      const key = parseJobKey(text);
      mustEqual(
        taken(['JOB_KEY_INVALID'], () => requireJobKey(text)),
        key,
        'two ways to read a key',
      );
      if (key !== undefined) must(/^[0-9_]{1,28}$/.test(key), 'no key', key);
    },
  },
  {
    name: 'contract/schedulers#isSchedulerJobId',
    seeds: ['772', '772[3]', '772.3'],
    hold: (text) =>
      must(!isAnySchedulerJobId(text) || /^[1-9][0-9]{0,17}(?:[[.][0-9]{1,9}\]?)?$/.test(text), 'no id', text),
  },
  {
    name: 'contract/offered-variables#isOffered',
    seeds: ['OMP_NUM_THREADS', 'LC_ALL', 'OMP_TOOL_LIBRARIES', 'KMP_DEVICE_FILE'],
    words: ['TOOL', 'LIB', 'PATH', 'LD_PRELOAD', 'OMP_'],
    hold: (text) => {
      if (isOffered(text))
        must(/^(?:TZ|LANG|LC_|OMP_|GOMP_|KMP_|MKL_|OPENBLAS_|BLIS_)/.test(text), 'another variable', text);
      const passed = passVariables({ [text]: 'x' }, ['OMP_*', 'LD_*'], []);
      must(
        Object.keys(passed).every((name) => name.startsWith('OMP_') && !/^OMP_TOOL(?:_|$)/.test(name)),
        'another',
        passed,
      );
    },
  },
];

const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;

const ofImages: readonly HostileParser[] = [
  {
    name: 'values/image-reference#parseImageReference',
    seeds: [
      'openfoam:2.3.0',
      'registry.example:5000/hpc/x@' + digest,
      'docker.io/library/debian',
      'hpc/a/b__c-d:Tag_1',
      'beef',
    ],
    words: ['docker.io/', 'index.docker.io/', 'localhost/', ':5000/', '@sha256:', 'library/', '0'.repeat(64), 'A'],
    hold: (text) => {
      const reference = taken(['IMAGE_REFERENCE_INVALID'], () => parseImageReference(text));
      const { name } = splitReference(text);
      must(typeof splitRegistry(name).registry === 'string', 'cut');
      if (reference === undefined) return;
      must(
        reference.path.split('/').every((part) => component.test(part)),
        'a path',
        reference,
      );
      const written = formatImageReference(reference);
      mustEqual(parseImageReference(written), reference, 'written out and read again');
      must(/[:@]/.test(written) && !/^[0-9a-f]{64}$/.test(written), 'what the engine may take for an id', written);
      must(matchesImagePattern(reference, parseImagePattern(written)), 'its own pattern does not match', written);
    },
  },
  {
    name: 'values/image-pattern#parseImagePattern',
    seeds: ['hpc/*', 'registry.example:5000/**', 'hpc/**/gpu:2.*', 'hpc/x@' + digest, '**'],
    words: ['**', '*', '*a', '/**', ':*'],
    hold: (text) => {
      const pattern = taken(['CONFIG_INVALID'], () => parseImagePattern(text));
      if (pattern === undefined) return;
      for (const name of ['evil.example/hpc/x:1', 'other:5000/hpc/a/gpu:2.1'])
        must(
          !matchesImagePattern(parseImageReference(name), pattern) || name.startsWith(`${pattern.registry}/`),
          'a star across registries',
          [text, name],
        );
      matchesImagePattern(parseImageReference(`hpc/${'a'.repeat(200)}:1`), pattern);
    },
  },
  {
    name: 'values/image-reference#splitReference',
    seeds: ['a:b@c', 'r:1/a'],
    hold: (text) => {
      const { name, tag, digest: found } = splitReference(text);
      mustEqual(
        `${name}${tag === undefined ? '' : `:${tag}`}${found === undefined ? '' : `@${found}`}`,
        text,
        'together again',
      );
    },
  },
  {
    name: 'values/image-reference#splitRegistry',
    seeds: ['r.example/a/b', 'a', 'docker.io/a'],
    hold: (text) => must(splitRegistry(text).path.endsWith(text.split('/').at(-1) ?? ''), 'another path'),
  },
];

const variables = (text: string): Record<string, string> => ({
  APPLICATION: text,
  COMMAND: text,
  JOBDIR: text,
  SHM_SIZE: '1g',
});
const wrongCall = ['USAGE', 'COMMAND_EMPTY', 'REQUEST_INVALID'] as const;

const ofWords: readonly HostileParser[] = [
  {
    name: 'middleware/read-request#readRequest',
    seeds: ['x:1', 'mpirun a', '/scratch/a', '../x'],
    hold: (text) => {
      const read = taken(wrongCall, () =>
        readRequest({ workdir: text, mount: [text] }, [], variables(text), '/scratch'),
      );
      if (read !== undefined)
        must(read.workdir.startsWith('/') && !read.workdir.includes('/../'), 'no path', read.workdir);
    },
  },
  {
    name: 'middleware/read-request#readSurroundings',
    seeds: ['4g', '1.5GiB', '4096'],
    hold: (text) => {
      const read = taken(wrongCall, () => readSurroundings({ shmSize: text }, {}, '/'));
      must((read?.shmBytes ?? 4096) >= 4096, 'a small size', read);
    },
  },
  {
    name: 'middleware/read-request#readVariables',
    seeds: ['A=b', 'A', 'A=b=c'],
    words: ['A=', '__proto__=x'],
    hold: (text) => {
      const read = taken(wrongCall, () => readVariables([text, 'B=1'], { A: 'x' }));
      mustLeaveObjectsAlone();
      if (read !== undefined)
        must(Object.keys(read).length === (/^B(?:=|$)/.test(text) ? 1 : 2), 'a variable that is lost', [text, read]);
    },
  },
  {
    name: 'middleware/decide-input#readInputWish',
    seeds: ['yes', 'no', '0'],
    hold: (text) => void taken(['USAGE'], () => readInputWish(text)),
  },
  {
    name: 'values/parse-bytes#parseBytes',
    seeds: ['4g', '512M', '1.5GiB', '4096'],
    words: ['k', 'iB', '.'],
    hold: (text) => {
      const bytes = parseBytes(text);
      must(bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0), 'no size', bytes);
    },
  },
  {
    name: 'contract/enter-protocol#parseEnterRequest',
    seeds: [
      '{"command":[]}',
      '{"command":["ps","aux"],"terminal":{"name":"xterm-256color","columns":80,"rows":24}}',
      '{"command":["sh","-c","a"],"terminal":{"columns":1,"rows":65535}}',
    ],
    words: ['"name":"', '"columns":', '0', '65536', '-1', '1e9', '\\u0000', '"__proto__":{}', '/', ' '],
    hold: (text) => {
      const read = attempt(() => parseEnterRequest(Buffer.from(text)));
      mustLeaveObjectsAlone();
      if (read === undefined) return;
      must(Buffer.byteLength(text) <= maxRequestBytes, 'too long', text.length);
      must(
        read.command.every((word) => !word.includes('\0')),
        'a zero byte',
        read,
      );
      const { name, columns = 1, rows = 1 } = read.terminal ?? {};
      must(name === undefined || /^[\w.+-]{1,64}$/.test(name), 'no name of a terminal', name);
      must(columns >= 1 && columns <= 65_535 && rows >= 1 && rows <= 65_535, 'no size', read.terminal);
      const order = {
        leave: `enter-${'0'.repeat(32)}`,
        command: read.command,
        isTerminal: read.terminal !== undefined,
      };
      mustEqual(entryOrderSchema.parse(order).command, read.command, 'told on');
    },
  },
  {
    name: 'contract/enter-protocol#windowSizeSchema',
    seeds: ['{"columns":80,"rows":24}'],
    words: ['0', '65536', '-', 'e9', '"x":1,', '[', 'null'],
    hold: (text) => {
      const size = windowSizeSchema.safeParse(jsonOr(text, {})).data;
      if (size !== undefined)
        must(
          [size.columns, size.rows].every((n) => Number.isInteger(n) && n >= 1 && n <= 65_535),
          'no size',
          size,
        );
    },
  },
  {
    name: 'middleware/shell/find-place#readJob',
    seeds: ['772', '772_3', '772[3]', '772.3'],
    words: ['[', ']', '.', '_', '-', '0', ' ', '--', '/', '\n'],
    hold: (text) => {
      const job = taken(['JOB_KEY_INVALID'], () => readJob(text));
      if (job !== undefined) must(/^[1-9]\d{0,17}(?:_\d{1,9})?$/.test(job), 'no job', job);
    },
  },
  {
    name: 'helper/verbs/read-command-line#readCommandLine',
    seeds: [
      'run-node 12 0123456789abcdef',
      'release-job --force 12',
      'control-job 12 suspend',
      'release-node --scheduler-job=12 12',
    ],
    words: [' ', ' --', ' --force', ' --help', ' -x', '=', ' --__proto__=x', ' --constructor', ' audit'],
    hold: (text) => {
      const line = taken(['USAGE'], () => readCommandLine(text.split(' '), helperVerbs));
      if (line?.kind !== 'call') return;
      for (const option of Object.keys(line.call.options))
        must(Object.hasOwn(line.verb.options, option), 'an option', option);
      for (const word of [...line.call.words, ...Object.values(line.call.options)])
        must(word === true || text.includes(word), 'a word from nowhere', word);
    },
  },
  {
    name: 'helper/caller/identify-caller#identifyCaller',
    seeds: ['2001', '0', '4294967294'],
    words: ['0', ' ', '+', '0x', '4294967295', '4294967296'],
    hold: (text) => {
      const facts = { effectiveUid: 0, parentUid: 2001, sudoUid: text };
      const caller = taken(['NOT_PERMITTED'], () => identifyCaller(facts));
      if (caller === undefined) return;
      must(caller.kind === 'user' && String(caller.uid) === text && caller.uid < 2 ** 32 - 1, 'somebody else', [
        text,
        caller,
      ]);
      mustEqual(uidOf(facts), caller.kind === 'user' ? caller.uid : 0, 'for the record');
    },
  },
  {
    name: 'discovery/relay/parse-ssh-arguments#parseSshArguments',
    seeds: [
      '-o\u001eX=y\u001enode-1\u001ehostname',
      '-l\u001ealice\u001e-p22\u001ealice@node-1\u001e-n\u001els\u001e-l',
      'ssh://a@n:22',
    ],
    words: ['\u001e', '\u001e--\u001e', '-L', '-l', '@', 'ssh://', '\u001e-oProxyCommand=x\u001e'],
    hold: (text) => {
      const read = parseSshArguments(text.split('\u001e'));
      if (read.kind === 'run') must(text.includes(read.request.host), 'a host from nowhere', read);
    },
  },
  {
    name: 'discovery/launch/explain-failed-start#hintAtFault',
    seeds: ['sh -c x', 'a\r', '/bin/sh'],
    mostBytes: 4000,
    hold: (text) => void hintAtFault({ kind: 'shell', text }, { PATH: '/nowhere' }, 127),
  },
  {
    name: 'values/nearest-name#findNearestName',
    seeds: ['lab/mpi', 'openfoam:2.3.0'],
    hold: (text) => {
      const known = ['lab/mpi', 'openfoam'];
      const found = findNearestName(text, known);
      must(found === undefined || known.includes(found), 'a name', found);
    },
  },
  {
    name: 'values/one-line#oneLine',
    seeds: ['a word', 'one\ntwo\u202ethree', '😀😀😀😀😀'],
    words: ['😀', '\u009b31m', '\ue000'],
    hold: (text) => {
      for (const line of [oneLine(text, 5), endInOneLine(text, 5), oneLine(text, 1000)]) {
        must(!/\p{C}/u.test(line), 'what is not seen', line);
        must(line.length <= 1000 && line.trim() === line, 'a long line', line);
      }
    },
  },
  {
    name: 'values/json-line#toJsonLine',
    seeds: ['a', 'a\u2028b\n'],
    hold: (text) => {
      const line = toJsonLine({ text });
      must(line.endsWith('\n') && !/[\n\r\u2028\u2029]/.test(line.slice(0, -1)), 'several lines', line);
      mustEqual(JSON.parse(line), { text }, 'read again');
    },
  },
  {
    name: 'values/subnet#parseAddress',
    seeds: ['10.128.4.1', '255.255.255.255', '0.0.0.0'],
    words: ['.', '256', '01'],
    hold: (text) => {
      const address = parseAddress(text);
      if (address !== undefined) mustEqual(formatAddress(address), text, 'written out');
    },
  },
  {
    name: 'values/subnet#parseCidr',
    seeds: ['10.128.0.0/12', '10.128.4.0/24', '0.0.0.0/0', '1.2.3.4/32'],
    words: ['/', '/33', '/0', '/08'],
    hold: (text) => {
      const cidr = parseCidr(text);
      if (cidr === undefined) return;
      mustEqual(`${formatAddress(cidr.address)}/${cidr.prefixLength}`, text, 'written out');
      must(containsAddress(text, formatAddress(cidr.address)), 'not its own');
    },
  },
  {
    name: 'config/forbidden-sources#findForbidden',
    seeds: ['/etc', '/var/run/docker.sock', '/scratch', '/run'],
    words: ['/etc', '/var/run', '/proc'],
    hold: (text) => {
      if (/^\/(?:etc|proc|sys|dev|run|root|boot)(?:\/|$)/.test(text))
        must(findForbidden(text) !== undefined, 'allowed', text);
    },
  },
  {
    name: 'config/parse-site#parseSite',
    seeds: [
      'version: 1\nimages:\n  allowed:\n    - image: hpc/**\n      users: [alice]\nmounts:\n  allowed: [{source: /scratch, always: true}]\n',
      'version: 1\napplications:\n  "x:1": {image: hpc/x:1, mounts: [/scratch]}\nnetwork: {pool: 10.128.0.0/12}\n',
    ],
    words: ['\n  ', ': ', '- ', '&a ', '*a', '!!js ', '<<: ', '{', '[', '"', '\n__proto__: {x: 1}', '|\n ', '? '],
    mostBytes: 4000,
    tries: 1000,
    hold: (text) => {
      taken(['CONFIG_INVALID'], () => parseSite(text));
      mustLeaveObjectsAlone();
    },
  },
];

/** Undefined for what is refused, in whatever words: the helper says USAGE. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function jsonOr(text: string, instead: unknown): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return instead;
  }
}

export const requestParsers: readonly HostileParser[] = [...ofRequests, ...ofImages, ...ofWords];
