import * as z from 'zod';
import { offeredVariables } from '../contract/offered-variables.ts';
import { schedulerNames } from '../contract/schedulers.ts';
import { deviceNamePattern } from '../values/device-name.ts';
import { hostNetworkSummary, networkSettings, spanningNetworks } from '../network/known-networks.ts';
import {
  absolutePath,
  limitOf,
  listOf,
  oneOf,
  optionalPath,
  section,
  text,
  wholeNumber,
  yesOrNo,
} from './site-fields.ts';

/**
 * Every key of site.yaml with its default, unit and meaning. Types, the JSON schema and docs/configuration.md follow
 * from here; rules across keys stand in site-rules.ts.
 */

const gibibyte = 1024 ** 3;
const tlsDirectory = '/etc/hpc-submit-dockerjob/tls';

const site = section({
  name: text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'a name of letters, digits, ".", "_" and "-"')
    .default('cluster')
    .describe('Shown in messages and audit records.'),
  keyPrefix: text(/^(?:\/[A-Za-z][A-Za-z0-9._-]{0,62})*$/, '"" or a prefix like /clusterA')
    .default('')
    .describe('Begins every etcd key, e.g. /clusterA; for clusters that share one store.'),
});

const scheduler = section({
  kind: oneOf('auto', ...schedulerNames)
    .default('auto')
    .describe('Which scheduler runs here; auto: the job’s environment tells.'),
  requireJobCgroup: yesOrNo()
    .default(true)
    .describe(
      'true: refuse a job whose helper does not run in the cgroup that the scheduler made for this job. false: without such a cgroup, every host asks the scheduler whether the job runs there, and limits the container to what the scheduler gave the job. Docker’s cgroup driver systemd needs false; cgroupfs is recommended.',
    ),
  commandPath: text(/^\/[^:\p{Cc}]*(?::\/[^:\p{Cc}]*)*$/u, 'absolute directories with ":" between them')
    .default('/usr/bin:/bin:/usr/sbin:/sbin')
    .describe(
      'Where to look for squeue, srun, bjobs, qstat, ip, nft and the like; only root may be able to change these directories and programs.',
    ),
  lsf: section({
    launcher: oneOf('auto', 'blaunch', 'lsrun', 'ssh')
      .default('auto')
      .describe('Starts the helpers on the other hosts; auto: the first of blaunch, lsrun and ssh that is installed.'),
    confDirectory: optionalPath().default('').describe('Directory of lsf.conf (LSF_ENVDIR); empty: LSF’s own default.'),
  })
    .prefault({})
    .describe('LSF and systems like it.'),
  gridengine: section({
    root: optionalPath().default('').describe('SGE_ROOT of the installation; empty: its commands know it themselves.'),
    cell: text(/^[A-Za-z0-9_.-]{0,63}$/, '"" or the name of a cell')
      .default('')
      .describe('SGE_CELL; empty: the commands’ own default.'),
    qmasterPort: wholeNumber(0, 65_535, '').default(0).describe('SGE_QMASTER_PORT; 0: as in /etc/services.'),
  })
    .prefault({})
    .describe('Grid Engine.'),
});

const etcd = section({
  endpoints: listOf(text(/^https?:\/\/[^\s/@]+:\d{1,5}$/, 'an address like https://etcd1:2379'), 'addresses')
    .default([])
    .describe(
      'Members of the store, e.g. ["https://etcd1:2379", "https://etcd2:2379"]. Needed by jobs on several hosts.',
    ),
  caFile: absolutePath()
    .default(`${tlsDirectory}/ca.pem`)
    .describe('Certificate that signed the members’ certificates.'),
  certFile: absolutePath().default(`${tlsDirectory}/host.pem`).describe('This host’s certificate.'),
  keyFile: absolutePath().default(`${tlsDirectory}/host-key.pem`).describe('Its private key; readable by root alone.'),
  callTimeoutMs: wholeNumber(100, 60_000, 'milliseconds')
    .default(2000)
    .describe('Deadline of one try of a call, in milliseconds; a call gives up after two to three times that.'),
  leaseTtlSeconds: wholeNumber(5, 3600, 'seconds')
    .default(20)
    .describe('The hosts end a job whose keeper has been silent for so many seconds.'),
  quotaBytes: wholeNumber(1_000_000, 64 * 1024 ** 3, 'bytes')
    .default(2 * 1024 ** 3)
    .describe('The same as etcd’s --quota-backend-bytes; `doctor` warns at four fifths of it.'),
});

const docker = section({
  socket: absolutePath().default('/var/run/docker.sock').describe('Where this host’s Docker Engine listens.'),
  callTimeoutMs: wholeNumber(1000, 600_000, 'milliseconds')
    .default(30_000)
    .describe(
      'Deadline of one call to it, in milliseconds; raise it if a busy host needs longer to start a container.',
    ),
  absenceSeconds: wholeNumber(1, 31_536_000, 'seconds')
    .default(3600)
    .describe(
      'A running job survives a Docker Engine that does not answer for so many seconds; meanwhile the kernel tells whether its containers are alive.',
    ),
});

const name = (): z.ZodString => text(/^[^\s\p{Cc}]{1,256}$/u, 'a name, or its number in quotes');

/** Who may use an entry; every list that is not empty must hold. */
const admission = {
  users: listOf(name(), 'users').default([]).describe('Only for these users; empty: for all.'),
  groups: listOf(name(), 'groups').default([]).describe('Only for members of one of these groups; empty: for all.'),
  partitions: listOf(name(), 'partitions')
    .default([])
    .describe('Only for jobs in one of these partitions, or of queues; empty: for all.'),
  queues: listOf(name(), 'queues').default([]).describe('The same, in the word of other schedulers.'),
};

const imagePattern = (): z.ZodString => text(/^\S{1,512}$/, 'a pattern like registry.example:5000/hpc/*');

/** A pattern alone is for everybody. */
const allowedImage = z
  .union([imagePattern(), section({ image: imagePattern().describe('The pattern.'), ...admission })])
  .transform((entry) =>
    typeof entry === 'string' ? { image: entry, users: [], groups: [], partitions: [], queues: [] } : entry,
  );

const registry = section({
  host: text(/^\S{1,255}$/, 'a registry like registry.example:5000').describe(
    'Host of the registry with its port, written as in the images’ names.',
  ),
  caFile: optionalPath()
    .default('')
    .describe(
      'Certificate of the authority that signed the registry’s; the helper gives it to the Docker Engine of the host (/etc/docker/certs.d). Empty: as the Engine trusts by itself.',
    ),
  credentialsFile: optionalPath()
    .default('')
    .describe(
      'File with the site’s credentials, in the form of Docker’s config.json (auths); only root may read it. Empty: none.',
    ),
});

const images = section({
  pull: oneOf('never', 'missing', 'newer')
    .default('never')
    .describe(
      'Whether jobs fetch images from a registry. never: every host must have the image already. missing: the registry is asked when the first host does not have the image. newer: the registry is always asked which image a tag stands for now. All hosts of a job run the image of one digest; a host that lacks it fetches it.',
    ),
  fetchSeconds: wholeNumber(1, 7200, 'seconds')
    .default(600)
    .describe('A host that has not fetched an image after so many seconds gives up; retries included.'),
  fetchBytes: wholeNumber(1_000_000, 1024 ** 4, 'bytes')
    .default(64 * gibibyte)
    .describe('An image of which a registry sends more than this, compressed as it is, is not fetched.'),
  registries: listOf(registry, 'registries')
    .default([])
    .describe(
      'The only registries that images are fetched from. docker.io must be among them like any other, and is asked only for images whose pattern or application names it: docker.io/library/debian, not debian.',
    ),
  allowed: listOf(allowedImage, 'image patterns')
    .default([])
    .describe(
      'Patterns of image references that users may name themselves. "*" matches within one part of the path, "**" across; without a tag every tag and digest matches, with a tag no digest does. Write the registry out; without one, docker.io is meant. A pattern with conditions is a section: {image: …, groups: [cfd]}. The images of applications need no pattern.',
    ),
});

const environment = z.record(
  text(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, 'a name of an environment variable'),
  text(/^[^\u0000]*$/u, 'a text (put numbers and true or false in quotes)').max(128 * 1024, {
    error: 'expected at most 128 KiB',
  }),
  { error: 'expected names with values' },
);

/** Of a kind of devices. */
const deviceName = (): z.ZodString => text(deviceNamePattern, 'a name of small letters, digits, ".", "_" and "-"');

const application = section({
  image: text(/^\S{1,512}$/, 'an image reference like hpc/openfoam:2.3.0').describe('What to run.'),
  description: text(/^\P{Cc}{0,200}$/u, 'one line of at most 200 characters')
    .default('')
    .describe('One line for `explain` and error messages.'),
  ...admission,
  network: oneOf('', ...spanningNetworks)
    .default('')
    .describe('Driver for several hosts; empty: network.driver.'),
  mounts: listOf(absolutePath(), 'paths')
    .default([])
    .describe('Sources from mounts.allowed that this application always gets.'),
  devices: listOf(deviceName(), 'names')
    .default([])
    .describe('Names from devices.allowed that this application always gets.'),
  environment: environment.default({}).describe('Set in the container before the user’s own --env.'),
  hostfile: text(
    /^(?:(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+(?:\/(?!$)|$))*$/u,
    '"" or a path below the workdir like system/machines',
  )
    .default('')
    .describe('Path below the workdir at which the application wants the MPI host file, e.g. system/machines.'),
  maxRunSeconds: wholeNumber(0, 31_536_000, 'seconds')
    .default(0)
    .describe(
      'The job ends after so many seconds, not counting suspensions by Slurm; 0: only the scheduler’s limit holds.',
    ),
  lsf: section({
    queue: text(/^[A-Za-z0-9_.-]{0,59}$/, '"" or the name of a queue')
      .default('')
      .describe('Jobs of this application go to this queue; empty: to the one that the user chose.'),
    resReq: submissionText('"" or a resource requirement like select[mem>4000] span[ptile=16]')
      .default('')
      .describe('Resource requirement of jobs that ask for none.'),
    licenses: text(
      /^(?:[A-Za-z][A-Za-z0-9_]{0,38}=\d{1,6}(?:[:,](?!$)|$))*$/,
      '"" or numbers of licences like solver=1:post=2',
    )
      .default('')
      .describe(
        'Resources that every job of it uses; they are put into rusage[…], and a job to which they cannot be added is refused.',
      ),
    runLimitSeconds: wholeNumber(0, 31_536_000, 'seconds')
      .default(0)
      .describe('Longest run limit that a job may ask for with -W, and the limit of jobs without -W; 0: no rule.'),
  })
    .prefault({})
    .describe('What esub.hpcdocker makes of jobs of this application when they are submitted to LSF.'),
});

/** Written into a file of LSF's that knows no escapes. */
function submissionText(expected: string): z.ZodString {
  return text(/^[^"\\`$\p{Cc}]{0,500}$/u, `${expected}, without ", \\, \` and $`);
}

const applications = z
  .record(text(/^[^\s\p{Cc}]{1,256}$/u, 'a name without blanks of at most 256 characters'), application, {
    error: 'expected names of applications, each with its keys',
  })
  .describe('The catalogue: names that users may write into APPLICATION, each with its own keys.');

/** What a job runs in: exactly one of the two, see site-rules.ts. */
const wantedImage = (): z.ZodObject<
  { image: z.ZodDefault<z.ZodString>; application: z.ZodDefault<z.ZodString> },
  z.core.$strict
> =>
  section({
    image: text(/^[^\s"\\`$]{0,512}$/, 'an image reference like hpc/centos:7')
      .default('')
      .describe('An image; or'),
    application: text(/^[^\s"\\`$\p{Cc}]{0,256}$/u, 'a name of the catalogue')
      .default('')
      .describe('a name of the catalogue.'),
  });

const lsf = section({
  start: oneOf('script', 'prologue')
    .default('script')
    .describe(
      'What starts the containers of a job whose image comes from its alias or queue: the starter with the script, or share/lsf/pre-exec --start before it.',
    ),
  aliases: z
    .record(text(/^[A-Za-z0-9_-]{1,60}$/, 'a name of letters, digits, "_" and "-"'), wantedImage(), {
      error: 'expected names of aliases, each with image or application',
    })
    .default({})
    .describe('What bsub -a NAME runs a job in; each name is a link esub.NAME to esub.hpcdocker.'),
  queues: z
    .record(text(/^[A-Za-z0-9_.-]{1,59}$/, 'the name of a queue'), wantedImage(), {
      error: 'expected names of queues, each with image or application',
    })
    .default({})
    .describe('What jobs of a queue run in if they name nothing themselves; needs the queue’s JOB_STARTER.'),
  passEnvironment: listOf(text(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, 'a name of an environment variable'), 'names')
    .default([])
    .describe('Variables of the submitter that the starter passes into the container.'),
});

const slurm = section({
  judgeSubmissions: yesOrNo()
    .default(true)
    .describe(
      'Where share/slurm/cli_filter.lua is installed: refuse a wrong request for containers when sbatch, srun or salloc is called, not only when the job starts.',
    ),
});

const allowedMount = section({
  source: absolutePath().describe('Directory of the host; only root may be able to change the directories above it.'),
  target: absolutePath().optional().describe('Where it appears in the container; default: same as source.'),
  readOnly: yesOrNo().default(false).describe('true: nothing can be written to it.'),
  always: yesOrNo()
    .default(true)
    .describe('true: in every container; false: only if an application or --mount names it.'),
  ...admission,
}).transform((mount) => ({ ...mount, target: mount.target ?? mount.source }));

const mounts = section({
  allowed: listOf(allowedMount, 'mounts')
    .default([])
    .describe('Directories that may be seen in containers. A workdir must lie in one of these.'),
});

const allowedDevice = section({
  name: deviceName().describe('What users write into --device, and applications into devices.'),
  nodes: listOf(
    text(
      /^\/dev\/(?:[A-Za-z0-9][A-Za-z0-9._-]*\/)*[A-Za-z0-9](?:[A-Za-z0-9._*-]|\{index(?:\+\d{1,4})?\})*$/,
      'a path below /dev like /dev/infiniband/uverbs* or /dev/nvidia{index}, with "*" in its last part alone and not at the begin of it',
    ),
    'paths',
  )
    .min(1, { error: 'expected a list of at least one path' })
    .describe(
      'Character devices of each host; "*" stands for any text in the last part of the path, {index} and {index+128} for each index of `gres`.',
    ),
  gres: text(/^(?:[A-Za-z][A-Za-z0-9_-]{0,63})?$/, '"" or a name of Slurm’s GRES like gpu')
    .default('')
    .describe(
      'Only for jobs that Slurm gave such a GRES on the host (each host asks as root); {index} stands for its indexes. Empty: for all jobs.',
    ),
  always: yesOrNo()
    .default(false)
    .describe(
      'true: in every container of a host that has them; false: only if an application or --device names it, and then each host must have them.',
    ),
  ...admission,
});

const devices = section({
  allowed: listOf(allowedDevice, 'devices')
    .default([])
    .describe(
      'Devices of the hosts that containers may open for reading and writing, if their mode allows it to the user and the scheduler’s cgroup to the job. Block devices, memory, terminals, disks and the like are never given.',
    ),
});

const network = section({
  driver: oneOf(...spanningNetworks)
    .default(spanningNetworks[0])
    .describe(`For jobs on several hosts; a job on one host has ${hostNetworkSummary}.`),
  pool: text(/^[0-9.]+\/\d+$/, 'a CIDR like 10.128.0.0/12')
    .default('10.128.0.0/12')
    .describe('Subnets of jobs come from this pool; it must not be in use at the site.'),
  prefixLength: wholeNumber(8, 29, '').default(24).describe('Size of one job’s subnet; 24: up to 253 hosts.'),
  mtu: z
    .int({ error: 'expected 0 or bytes from 576 to 65535' })
    .refine((mtu) => mtu === 0 || (mtu >= 576 && mtu <= 65_535), { error: 'expected 0 or bytes from 576 to 65535' })
    .default(0)
    .describe('Bytes; 0: that of the host’s link minus the driver’s overhead.'),
  ...networkSettings,
});

const ssh = section({
  port: wholeNumber(1024, 65_535, '').default(2222).describe('Port of the agent’s SSH server inside a container.'),
});

const writableLayer = section({
  bytes: wholeNumber(1024 ** 2, Number.MAX_SAFE_INTEGER, 'bytes')
    .default(gibibyte)
    .describe('Most that a container may write there; a job that writes more is ended.'),
  inodes: wholeNumber(1000, Number.MAX_SAFE_INTEGER, '').default(20_000).describe('Files and directories likewise.'),
  reserveBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER, 'bytes')
    .default(gibibyte)
    .describe(
      'When the disk of the Docker Engine has less left, jobs that take more than a sixteenth of `bytes` are ended; 0: never.',
    ),
});

const container = section({
  shmBytes: wholeNumber(1024 ** 2, Number.MAX_SAFE_INTEGER, 'bytes')
    .default(gibibyte)
    .describe('Size of /dev/shm of a job that asks for no other; its content counts as memory of the job.'),
  shmMaxBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER, 'bytes')
    .default(16 * gibibyte)
    .describe('Largest /dev/shm that a job may ask for with --shm-size; never less than container.shmBytes.'),
  pidsMax: wholeNumber(16, 4_194_304, '').default(4096).describe('Processes and threads per container.'),
  nofile: wholeNumber(256, 1_073_741_816, '').default(65_536).describe('Open files per process.'),
  memlock: limitOf(65_536, 'bytes').default(-1).describe('Bytes that may be locked; -1: unlimited (RDMA).'),
  memoryPerSlotBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER, 'bytes')
    .default(0)
    .describe('Memory for each slot of a job that has no cgroup of the scheduler; 0: no limit.'),
  stackBytes: limitOf(65_536, 'bytes').default(-1).describe('Stack of a process; -1: unlimited.'),
  coreBytes: limitOf(0, 'bytes')
    .default(-1)
    .describe(
      'Largest core file that a process may ask for with ulimit -c; without asking, none is written; -1: unlimited.',
    ),
  tmpfsBytes: wholeNumber(1024 ** 2, Number.MAX_SAFE_INTEGER, 'bytes')
    .default(gibibyte)
    .describe(
      'Size of /tmp, /var/tmp, /run/lock and each volume that the image declares; their content counts as memory of the job.',
    ),
  passEnvironment: listOf(oneOf(...offeredVariables), 'names')
    .default([...offeredVariables])
    .describe(
      'Variables of the batch script that reach the command without --env; "*" ends a family. Those of an application and --env win, and an image that sets LANG or LC_* keeps its own.',
    ),
  readOnlyRoot: yesOrNo()
    .default(false)
    .describe(
      'true: jobs cannot write to the image’s file system, so nothing of a job reaches the disk of the Docker Engine.',
    ),
  writableLayer: writableLayer
    .prefault({})
    .describe(
      'What a container may write into its image’s file system, on the disk of the Docker Engine; watched every second unless container.readOnlyRoot is true.',
    ),
});

const seconds = (): z.ZodInt => wholeNumber(1, 3600, 'seconds');

const deadlines = section({
  openSeconds: seconds().default(20).describe('Check, claim, plan.'),
  startSeconds: seconds().default(60).describe('From the plan to every container running.'),
  discoverSeconds: seconds().default(60).describe('From running containers to READY=True of all.'),
  scriptSeconds: seconds()
    .default(120)
    .describe('With lsf.start: prologue, from ready containers to the start of the job’s script.'),
  stopSeconds: seconds().default(10).describe('Between asking a container to stop and killing it.'),
  releaseSeconds: seconds().default(30).describe('Until every host has reported its clean-up.'),
});

const audit = section({
  file: optionalPath()
    .default('')
    .describe(
      'JSON lines of every call and decision, each with the hash of the one before, in a directory that only root can change; empty: syslog (facility auth), without the hashes.',
    ),
  required: yesOrNo()
    .default(false)
    .describe(
      'true: a host that cannot write records to audit.file starts no job (AUDIT_UNWRITABLE); clean-up still works. Needs audit.file.',
    ),
});

const records = section({
  directory: optionalPath()
    .default('/var/lib/hpc-submit-dockerjob/records')
    .describe(
      'Where each host keeps one JSON line of every job that it opened, for inspect and report: <host>.jsonl and <host>.jsonl.1, which only root can read. Hosts may share a directory; then each knows the jobs of all. Only root may be able to change it. Empty: no records.',
    ),
  keepBytes: wholeNumber(64 * 1024, Number.MAX_SAFE_INTEGER, 'bytes')
    .default(16 * 1024 ** 2)
    .describe('How much of it each host keeps; a job has about 700 bytes. The oldest go first.'),
});

const logging = section({
  level: oneOf('off', 'info', 'debug')
    .default('off')
    .describe(
      'How much the helper logs of its own work to syslog (facility daemon, tag hpc-dockerjob-helper), to find faults.',
    ),
});

export const siteSchema = section({
  version: z.literal(1, { error: 'expected 1' }).describe('Version of this file’s format.'),
  site: site.prefault({}).describe('Names.'),
  scheduler: scheduler.prefault({}).describe('How jobs are confirmed and helpers are started on the other hosts.'),
  etcd: etcd
    .prefault({})
    .describe('The store through which the hosts of a job meet; jobs on more than one host need it.'),
  docker: docker.prefault({}).describe('The Docker Engine of each host.'),
  images: images.prefault({}).describe('What users may run.'),
  applications: applications.prefault({}),
  mounts: mounts.prefault({}).describe('Which directories of the hosts containers may see.'),
  devices: devices.prefault({}).describe('Which devices of the hosts containers may open.'),
  network: network.prefault({}).describe('The network of one job.'),
  ssh: ssh.prefault({}).describe('How MPI reaches the other containers.'),
  container: container.prefault({}).describe('Limits of every container, besides those of the scheduler.'),
  deadlines: deadlines
    .prefault({})
    .describe('No phase lasts longer than this; the message then names the nodes that are missing.'),
  lsf: lsf.prefault({}).describe('The kit for LSF: what esub.hpcdocker and the starter run jobs in.'),
  slurm: slurm.prefault({}).describe('The kit for Slurm: what share/slurm does.'),
  audit: audit.prefault({}).describe('Where decisions are recorded.'),
  records: records.prefault({}).describe('What is kept of jobs that are over.'),
  logging: logging.prefault({}).describe('What the helper says of its own work.'),
});

/** The site's policy with every default filled in. */
export type SiteConfig = z.infer<typeof siteSchema>;
export type WantedImage = SiteConfig['lsf']['aliases'][string];
