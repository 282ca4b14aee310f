/** The attacker has an image of his own making on the hosts, and the sudo rule. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { findLastingLeftovers, inHostDocker, startBatch } from '../support/e2e-jobs.ts';
import { e2eLab, jobDirectory, runBatch } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;

let lab: Lab;

beforeAll(async () => {
  lab = await e2eLab();
});

afterAll(async () => {
  const remove =
    'docker images --quiet --filter reference="lab/hostile:*" | sort -u | xargs -r docker image rm --force';
  await mustRun(lab, 'node1', ['sh', '-c', remove]);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

const onNode1 = ['-N1', '-n1', '--nodelist=node1'];

/** An image with these commands run, and further lines of its recipe. */
async function build(tag: string, commands: string, ...lines: readonly string[]): Promise<string> {
  const recipe = ['FROM lab/tiny:1', `RUN ["/bin/sh", "-c", ${JSON.stringify(commands)}]`, ...lines, ''].join('\n');
  const builder = ['env', 'DOCKER_BUILDKIT=0', 'docker', 'build', '--quiet', '--network=none'];
  await mustRun(lab, 'node1', [...builder, '--tag', `lab/hostile:${tag}`, '-'], recipe);
  return `lab/hostile:${tag}`;
}

/** An image whose configuration is changed by sed, as no recipe could. */
async function forge(tag: string, expression: string): Promise<string> {
  const script = `set -eu
    d=$(mktemp -d); docker save lab/tiny:1 | tar -xC "$d"; cd "$d"
    c=$(sed 's/.*"Config":"\\([^"]*\\)".*/\\1/' manifest.json)
    sed -i "$1" "$c"; sed -i 's#"lab/tiny:1"#"lab/hostile:'"$2"'"#' manifest.json; rm -f repositories
    tar -c . | docker load >/dev/null; rm -rf "$d"`;
  await mustRun(lab, 'node1', ['sh', '-c', script, 'forge', expression, tag]);
  return `lab/hostile:${tag}`;
}

interface Ran {
  readonly status: number;
  readonly words: string;
  readonly seconds: number;
}

/** Runs each image in turn, in one job of alice's, and says how each call ended. */
async function tryImages(
  images: readonly string[],
  command: string,
  sbatch: readonly string[] = onNode1,
): Promise<Ran[]> {
  const script = `for image in ${images.join(' ')}; do
    begun=$(date +%s%N)
    words=$(hpc-submit-dockerjob --image "$image" --mount /home -- ${command} 2>&1 | tr '\\n' ' '; exit "\${PIPESTATUS[0]}")
    echo "$? $((($(date +%s%N) - begun) / 1000000)) $words"
  done`;
  const job = await runBatch(lab, script, { sbatch, deadlineMs: 150_000 });
  return job.stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [status = '', ms = '', ...words] = line.split(' ');
      return { status: Number(status), seconds: Number(ms) / 1000, words: words.join(' ') };
    });
}

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

const refused = (image: string, reason: string): object => ({
  status: 65,
  words: expect.stringMatching(
    new RegExp(`image ${image} cannot be used: [^\\]]*${escape(reason)}.*\\[IMAGE_UNUSABLE\\]`),
  ) as string,
});

describe('having files made by root for another user', () => {
  it('by links at the targets of mounts, with links in a mount behind them', async () => {
    await mustRun(lab, 'node1', [
      ...['sh', '-c'],
      `mkdir -p /scratch/links/d /scratch/bob && cd /scratch/links/d && ln -sfn /scratch/bob/by-root helper &&
       ln -sfn /home/bob/.ssh private && ln -sfn /scratch/bob/by-root runtime && chown -R alice /scratch/links`,
    ]);
    await using undo = new AsyncDisposableStack();
    undo.defer(async () => void (await mustRun(lab, 'node1', ['rm', '-rf', '/scratch/links'])));
    const images = [
      await build('both', 'mkdir /.x; ln -s /.x /scratch; ln -s /.x/links/d /.hpcdj'),
      await build(
        'chain',
        'mkdir -p /a/b; ln -s ../../u /a/b/l; ln -s a/./. /u; ln -s a/b/l /scratch; ln -s u/links/d /.hpcdj',
      ),
      await build('single', 'ln -s /scratch/bob/by-root /.hpcdj'),
      await build('home', 'rm -rf /home; ln -s /scratch/links/d/runtime /home'),
      await build('volume', 'ln -s /scratch/links/d/runtime /data', 'VOLUME /data/by-root'),
    ];
    const ran = await tryImages(images, 'true');
    expect(ran).toMatchObject([
      refused('lab/hostile:both', '/.hpcdj/runtime leads into /.x, where /scratch comes to lie'),
      refused('lab/hostile:chain', '/.hpcdj/runtime leads into /a, where /scratch comes to lie'),
      refused('lab/hostile:single', 'leads into /scratch, which is mounted from outside'),
      refused('lab/hostile:home', '/home leads into /scratch, which is mounted from outside'),
      refused('lab/hostile:volume', 'its volume /data/by-root leads into /scratch, which is mounted from outside'),
    ]);
    const made = await mustRun(lab, 'node1', ['sh', '-c', 'ls -a /scratch/bob /home/bob']);
    expect(made).not.toMatch(/by-root|\.ssh/);
  });
});

describe('a device of the host', () => {
  it('is not to be had by a device file of the image, which its user could open on the host', async () => {
    const images = [
      await build('disk-file', 'mknod /disk b 7 0; chmod 666 /disk'),
      await build('memory-file', 'mkdir -p /a/b; mknod /a/b/mem c 1 1; chown 2001 /a/b/mem; chmod 400 /a/b/mem'),
      await build('usual-files', 'mknod /null c 1 3; chmod 666 /null; mknod /console c 5 1; chmod 600 /console'),
    ];
    const ran = await tryImages(images, 'true');
    expect(ran).toMatchObject([
      refused('lab/hostile:disk-file', 'its /disk is a block device (7:0) that users could open'),
      refused('lab/hostile:memory-file', 'its /a/b/mem is a character device (1:1) that users could open'),
      { status: 0 },
    ]);
  });
});

describe('a group of another user', () => {
  it('is not given to who names it by a number of his own', async () => {
    const images = [
      await build('groups', 'echo cfd:x:2002: >/etc/group; echo 2100:x:2002: >>/etc/group'),
      // The engine leaves out U+0085 at the ends of a line.
      await build('groups-unseen', 'printf "cfd:x:2100:\\n\\302\\2052100:x:2002:\\n" >/etc/group'),
    ];
    const ran = await tryImages(images, 'id');
    const refusal = '/etc/group calls gid "2002" by the number 2100';
    expect(ran).toMatchObject(images.map((image) => refused(image, refusal)));
  });
});

describe('getting round the limits of the job by volumes', () => {
  it('has volumes in memory, of a bounded size, and none on the disk', async () => {
    const image = await build('disk', 'mkdir /data; echo old >/data/old', 'VOLUME /data /tmp /scratch');
    const directory = jobDirectory();
    const command =
      'sh -c "df -Pk /data | tail -1; echo new >/data/new && cat /data/new; ls /data; touch seen; sleep 3"';
    const running = runBatch(lab, `hpc-submit-dockerjob --quiet --image ${image} -- ${command.replaceAll('"', "'")}`, {
      sbatch: onNode1,
      directory,
    });
    const seen = await mustRun(lab, 'node1', [
      ...['sh', '-c'],
      'for i in $(seq 300); do [ -e "$1/seen" ] && break; sleep 0.1; done; docker volume ls -q; ls /var/lib/docker/volumes',
      ...['look', directory],
    ]);
    expect(seen.split('\n').filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
    const job = await running;
    expect(job.exitCode).toBe('0:0');
    expect(job.stdout).toMatch(/^tmpfs +\d+ .* \/data\nnew\nnew$/);
  });

  it('is refused at once with more than can be of use', async () => {
    const image = await build('many', 'true', `VOLUME ${Array.from({ length: 400 }, (_, at) => `/v${at}`).join(' ')}`);
    const [ran] = await tryImages([image], 'true');
    expect(ran).toMatchObject(refused(image, 'it declares 400 volumes'));
    expect(ran!.seconds).toBeLessThan(20);
  });
});

describe('running a program in place of the agent', () => {
  it('is refused by whatever name it has', async () => {
    const loader = 'mkdir -p /.hpcdj/runtime/lib; cp /bin/sh /.hpcdj/runtime/lib/ld-linux-x86-64.so.2';
    const images = [
      await build('loader', loader, 'VOLUME /.hpcdj/runtime/lib'),
      await build('above', loader, 'VOLUME /x/../.hpcdj/'),
      await build('private', 'mkdir -p /.hpcdj', 'VOLUME /.hpcdj/private'),
    ];
    expect(await tryImages(images, 'true')).toMatchObject([
      refused('lab/hostile:loader', 'its volume /.hpcdj/runtime/lib lies in /.hpcdj/runtime'),
      refused('lab/hostile:above', '/.hpcdj/runtime lies in /.hpcdj, which it declares as a volume'),
      refused('lab/hostile:private', 'its volume /.hpcdj/private lies in /.hpcdj/private'),
    ]);
  });
});

describe('having a queue try for ever, or bar hosts, for what is the image’s own fault', () => {
  it('is told as such', async () => {
    const images = [
      await build('proc', 'rm -f /etc/passwd; ln -s /proc/1/environ /etc/passwd'),
      await build('pwdir', 'rm -f /etc/passwd; mkdir -p /etc/passwd'),
      await build('pipe', 'rm -f /etc/passwd; mkfifo /etc/passwd'),
      await build('file', 'echo >/scratch'),
      await forge('odd', 's/"Env":\\[/"Env":["=odd",/g;s/"Env":null/"Env":["=odd"]/g'),
      await forge('arm', 's/"architecture":"[a-z0-9]*"/"architecture":"s390x"/'),
    ];
    expect(await tryImages(images, 'true')).toMatchObject([
      refused('lab/hostile:proc', 'its /etc/passwd leads into /proc'),
      refused('lab/hostile:pwdir', 'its /etc/passwd is no file'),
      refused('lab/hostile:pipe', 'its /etc/passwd is no file'),
      refused('lab/hostile:file', 'its /scratch is no directory'),
      refused('lab/hostile:odd', 'an entry without a name: "=odd"'),
      refused('lab/hostile:arm', 'it is made for "s390x" processors'),
    ]);
    expect(await inHostDocker(lab, 'node1', 'ps', '--all', '--quiet')).toBe('');
  });
});

describe('having containers taken for another job’s, or a job for another user’s', () => {
  it('does not come of labels: what bears them is left alone, and the job goes on', async () => {
    const job = await startBatch(
      lab,
      'hpc-submit-dockerjob --image lab/tiny:1 -- sh -c "echo running; while [ ! -e over ]; do sleep 0.2; done; echo whole"',
      { sbatch: onNode1 },
    );
    await using end = new AsyncDisposableStack();
    end.defer(async () => void (await mustRun(lab, 'node1', ['touch', `${job.directory}/over`])));
    await job.shows('running', 'out');
    const said = { job: job.id, node: '1', uid: '2002', 'run-until': '1', 'scheduler-job': job.id };
    const labels = Object.entries(said).map(([name, value]) => `hpcdj.${name}=${value}`);
    const image = await build('labels', 'true', `LABEL ${labels.join(' ')}`);
    const start = async (...argv: readonly string[]): Promise<string> =>
      await inHostDocker(lab, 'node1', 'run', '--detach', '--network=none', ...argv, image, 'sleep', '300');
    const foreign = [await start(), await start('--name', `hpcdj-${job.id}-node-1`)];
    end.defer(async () => void (await inHostDocker(lab, 'node1', 'rm', '--force', ...foreign)));

    const reaped = await mustRun(lab, 'node1', [helper, 'reap']); // one of them says that its time is up
    expect(reaped).not.toContain(job.id);
    expect(await job.stdout()).toBe('running\n');
    await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    const ended = await job.end();
    expect([ended.exitCode, ended.stdout]).toEqual(['0:0', 'running\nwhole\n']);
    expect(ended.stderr).not.toContain('still there');
    await mustRun(lab, 'node1', [helper, 'reap']);
    const left = await inHostDocker(lab, 'node1', 'ps', '--quiet', '--no-trunc');
    expect(left.split('\n').sort()).toEqual([...foreign].sort());
  });

  it('does not make a container of the attacker’s own somebody else’s', async () => {
    const image = await build('own', 'true', 'LABEL hpcdj.job=1 hpcdj.uid=2002 hpcdj.run-until=1 hpcdj.token=x');
    const directory = jobDirectory();
    const script = `hpc-submit-dockerjob --image ${image} -- sh -c 'touch seen; while [ ! -e over ]; do sleep 0.2; done'`;
    const job = await startBatch(lab, script, { sbatch: onNode1, directory });
    await mustRun(lab, 'node1', [
      ...['sh', '-c', 'for i in $(seq 300); do [ -e "$1/seen" ] && exit; sleep 0.1; done; exit 1', 'look', directory],
    ]);
    const own = JSON.parse(
      await inHostDocker(lab, 'node1', 'inspect', `hpcdj-${job.id}-node-0`, '--format', '{{json .Config.Labels}}'),
    ) as Record<string, string>;
    await mustRun(lab, 'node1', ['touch', `${directory}/over`]);
    expect((await job.end()).exitCode).toBe('0:0');
    expect(own).toMatchObject({ 'hpcdj.job': job.id, 'hpcdj.uid': '2001', 'hpcdj.run-until': '' });
    expect(own['hpcdj.token']).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('rights by what an image declares', () => {
  it('are none: setuid programs, a root without a password, users, entry points, checks, variables', async () => {
    const image = await build(
      'rights',
      'echo root::0:0::/:/bin/sh >/etc/passwd; rm -f /etc/shadow; chmod 4755 /bin/busybox; mkdir -p /etc/profile.d',
      ...['USER root', 'ENTRYPOINT ["/bin/touch", "/scratch/by-entry"]', 'STOPSIGNAL SIGCONT', 'WORKDIR /scratch/bob'],
      'HEALTHCHECK --interval=1s CMD /bin/touch /tmp/by-check',
      'ENV LD_PRELOAD=/nonexistent.so LD_AUDIT=/x NODE_OPTIONS=--require=/x TINI_SUBREAPER=1 HOME=/root',
    );
    const look = `echo uid=$(id -u) su=$(su -c 'id -u' root 2>&1); sed -n 's/^CapEff:.0*/caps=/p;s/^NoNewPrivs:./nnp=/p' /proc/self/status; echo options=$NODE_OPTIONS; sleep 2; echo tmp=$(ls /tmp)`;
    const [ran] = await tryImages([image], `sh -c ${JSON.stringify(look).replaceAll('$', '\\$')}`);
    expect(ran).toMatchObject({
      status: 0,
      words: expect.stringMatching(/ uid=2001 su=\D* caps= nnp=1 options=--require=\/x tmp= /) as string,
    });
    expect(await mustRun(lab, 'node1', ['ls', '/scratch'])).not.toContain('by-entry');
  });

  it('and by what stands at our own places come to its user’s own container, or to a refusal', async () => {
    const images = [
      await build('hpcfile', 'echo >/.hpcdj'),
      await build('hpcshm', 'ln -s /dev/shm /.hpcdj'),
      await build('tmpcwd', 'rm -rf /tmp; ln -s /proc/self/cwd /tmp'),
      await build(
        'far',
        'for i in $(seq 40); do r=d/$r; done; for k in $(seq 8); do mkdir -p /$p$r; ln -s ${r}l /${p}l; p=$p$r; done; ln -s /l /scratch',
      ),
      await build('hpcopen', 'mkdir -p /.hpcdj/helper; chmod -R 777 /.hpcdj'),
      await build('open', 'mkdir -p /root /usr /lib; chmod -R 777 /bin /etc /root /usr /lib'),
      await build('empty', 'busybox rm -rf /bin; :'),
    ];
    expect(await tryImages(images, 'true')).toMatchObject([
      refused('lab/hostile:hpcfile', 'its /.hpcdj is no directory'),
      refused('lab/hostile:hpcshm', 'leads into /dev'),
      refused('lab/hostile:tmpcwd', 'its /tmp leads into /proc'),
      refused('lab/hostile:far', 'its /scratch '),
      { status: 0 },
      { status: 0 },
      { status: 127 },
    ]);
  });
});
