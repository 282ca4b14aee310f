/** How many slots a site gives to callers outside of any job: what site.yaml says, not what its comments say. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const script = join(import.meta.dirname, '../../../share/take-slot');

it.each([
  ['scheduler:\n  requireJobCgroup: true             # false without LSF_LINUX_CGROUP_ACCT, see 3', '0-31', '8'],
  ['scheduler:\n  # requireJobCgroup: false', '0-31', '8'],
  ['scheduler:\n  kind: lsf', '0-31', '8'],
  ['scheduler:\n  requireJobCgroup: false     # Grid Engine has none', '0-31', '64'],
  ['scheduler: {kind: lsf, requireJobCgroup: false}', '0-31', '64'],
  ['scheduler: {"requireJobCgroup": false}', '0', '16'],
  ['scheduler: {requireJobCgroup: false}', '0-1', '16'],
  ['scheduler: {requireJobCgroup: false}', '0-3,8-15', '32'],
  ['scheduler: {requireJobCgroup: false}', '0-1023', '256'],
])('gives %j with processors %s %s slots outside', async (site, processors, slots) => {
  const directory = await mkdtemp(join(tmpdir(), 'take-slot-'));
  try {
    const text = (await readFile(script, 'utf8'))
      .replace('/etc/hpc-submit-dockerjob/site.yaml', join(directory, 'site.yaml'))
      .replace('slots_directory=/run/hpc-dockerjob-slots', `slots_directory=${directory}`)
      .replace('/sys/devices/system/cpu/online', join(directory, 'online'))
      .replace('/proc/self/cgroup', '/dev/null');
    await writeFile(join(directory, 'online'), `${processors}\n`);
    await writeFile(join(directory, 'site.yaml'), `${site}\n`);
    const { stdout } = await run('/bin/sh', ['-c', `${text}\necho "$slots"`, 'sh', 'run-node'], {
      env: { SUDO_UID: '2001', PATH: '/usr/bin:/bin' },
    });
    expect(stdout.trim()).toBe(slots);
  } finally {
    await rm(directory, { recursive: true });
  }
});
