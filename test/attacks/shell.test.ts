/** The attacker wants more by a shell in a running job than the job has: by its image, variables, words or bytes. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { cancelJob, findLastingLeftovers, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { e2eLab } from '../support/e2e-lab.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;

let lab: Lab;
let job: BatchJob | undefined;

beforeAll(async () => {
  lab = await e2eLab();
});

afterEach(async () => {
  if (job === undefined) return;
  await cancelJob(lab, job.id).catch(() => undefined);
  await job.end();
  job = undefined;
});

afterAll(async () => {
  const remove = 'docker images --quiet --filter reference="lab/enter:*" | sort -u | xargs -r docker image rm --force';
  await mustRun(lab, 'node1', ['sh', '-c', remove]);
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

/** A job of alice's in an image with these commands run; its command waits. */
async function start(tag: string, commands: string): Promise<BatchJob> {
  const recipe = `FROM lab/tiny:1\nRUN ["/bin/sh", "-c", ${JSON.stringify(commands)}]\n`;
  const builder = ['env', 'DOCKER_BUILDKIT=0', 'docker', 'build', '--quiet', '--network=none'];
  await mustRun(lab, 'node1', [...builder, '--tag', `lab/enter:${tag}`, '-'], recipe);
  const run = `hpc-submit-dockerjob --quiet --image lab/enter:${tag} -- /bin/busybox sh -c 'echo up; sleep 1000'`;
  job = await startBatch(lab, run, { sbatch: ['-N1', '-n1', '--nodelist=node1', '--mem=300M'] });
  await job.shows('up', 'out');
  return job;
}

async function asAlice(script: string): ReturnType<typeof tryAs> {
  return await tryAs(lab, 'node1', 'alice', 'timeout', '60', 'bash', '-c', script.replaceAll('JOB', job?.id ?? ''));
}

describe('by an image', () => {
  it('whose users and groups are others, with a shell of its own, gets what the job has', async () => {
    const users = "echo '2001:x:0:0::/:/bin/sh' >/etc/passwd; echo 'alice:x:0:' >/etc/group";
    const shell = "printf '#!/bin/busybox sh\\necho hostile $(/bin/busybox id -u)\\n' >/bin/bash; chmod 755 /bin/bash";
    await start('users', `${users}; ${shell}`);
    const { exitCode, text } = await asAlice('hpc-submit-dockerjob shell JOB </dev/null');
    expect([exitCode, text]).toEqual([0, 'hostile 2001']);
    const status = await asAlice(
      "hpc-submit-dockerjob shell JOB -- /bin/busybox grep -E '^(Uid|Groups|CapEff)' /proc/self/status",
    );
    expect(status.text).toBe('Uid:\t2001\t2001\t2001\t2001\nGroups:\t2001 2100 \nCapEff:\t0000000000000000');
  });

  it('that lets its users change where groups are looked up is not entered', async () => {
    await start('etc', 'chmod 777 /etc');
    const { exitCode, text } = await asAlice('hpc-submit-dockerjob shell JOB -- /bin/busybox id');
    expect([exitCode, text]).toEqual([65, expect.stringContaining('lets its users change /, /etc or /etc/group')]);
  });

  it('without any shell says so, and runs what it has', async () => {
    await start('none', 'for each in /bin/sh /bin/bash; do rm -f $each; done');
    const none = await asAlice('hpc-submit-dockerjob shell JOB </dev/null');
    expect([none.exitCode, none.text]).toEqual([65, expect.stringContaining('The image has no usable shell')]);
    expect(await asAlice('hpc-submit-dockerjob shell JOB -- /bin/busybox id -u')).toEqual({
      exitCode: 0,
      text: '2001',
    });
  });
});

describe('by what the caller sets and says', () => {
  it('gets no further than a variable of its own processes', async () => {
    await start('plain', 'true');
    const set = 'LD_PRELOAD=/tmp/x.so NODE_OPTIONS=--inspect DOCKER_HOST=tcp://127.0.0.1:1 BASH_ENV=/tmp/x ENV=/tmp/x';
    const { exitCode, text } = await asAlice(
      `(${set} hpc-submit-dockerjob shell JOB -- /bin/busybox env | grep -E 'PRELOAD|NODE_OPT|DOCKER|ENV='; echo over) 2>/dev/null`,
    );
    expect([exitCode, text]).toEqual([0, 'over']);

    const request = (json: string): string => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(json));
      const octal = [1, ...length].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
      return `printf '${octal}${json}' | timeout 20 sudo -n ${helper} enter-job JOB 0`;
    };
    const refused = [
      ...[
        request('{"command":["id"],"uid":0}'),
        request('{"command":["id"],"terminal":{"name":"../x","columns":1,"rows":1}}'),
      ],
      ...[request('[]'), `head -c 100000 /dev/urandom | timeout 20 sudo -n ${helper} enter-job JOB 0`],
      ...[`sudo -n ${helper} enter-job JOB 0 </etc/passwd`, `sudo -n ${helper} enter-job JOB 1 </dev/null`],
    ];
    for (const call of refused) expect([call, (await asAlice(call)).exitCode]).toEqual([call, 64]);
    for (const words of ['JOB', 'JOB -1', 'JOB --help', 'JOB 0 id', 'JOB 00'])
      expect([words, (await asAlice(`sudo -n ${helper} enter-job ${words} </dev/null`)).exitCode]).toEqual([words, 1]);
  });

  it('sees nothing of the host by the descriptors and places of the entered process', async () => {
    await start('plain', 'true');
    const look =
      'ls -l /proc/self/fd /proc/$PPID/fd; ls /proc/$PPID/cwd/ /.hpcdj/helper; touch /.hpcdj/helper/x /.hpcdj/runtime/x';
    const { text } = await asAlice(`hpc-submit-dockerjob shell JOB -- /bin/busybox sh -c '${look}'`);
    expect(text).not.toMatch(/docker|containerd|runc|\/run\/hpc-dockerjob|\/opt\/hpc/);
    expect(text.match(/Read-only file system/g)).toHaveLength(2);
  });
});
