/** doctor on a Slurm cluster: all well, and each thing that is broken makes exactly its own check fail. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import { changeSite } from '../support/e2e-site.ts';
import type { SiteChange } from '../support/e2e-site.ts';
import { askDoctor, failedChecks, spoilHost } from '../support/doctor.ts';

const host = 'node1';
const packageDirectory = '/opt/hpc-submit-dockerjob/lib/node_modules/hpc-submit-dockerjob';

let lab: Lab;
let site: AsyncDisposable;
beforeAll(async () => {
  lab = await e2eLab();
  site = await changeSite(lab, { applications: { 'openfoam:2.3.0': { image: 'lab/tiny:1' } } }, [host]);
});
afterAll(() => site[Symbol.asyncDispose]());

describe('doctor', () => {
  it('finds nothing wrong on a host of the lab, and leaves nothing there', async () => {
    const before = await mustRun(lab, host, ['sh', '-c', 'ip link; nft list ruleset; docker ps -aq']);
    const { exitCode, checks } = await askDoctor(lab, host);
    expect(failedChecks(checks)).toEqual([]);
    expect(exitCode).toBe(0);
    expect(checks.filter(({ verdict }) => verdict === 'skip')).toEqual([]);
    expect(checks.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        'policy',
        'sudo-rule',
        'slurm-epilog',
        'engine',
        'store',
        'scheduler',
        'network',
        'images',
      ]),
    );
    expect(await mustRun(lab, host, ['sh', '-c', 'ip link; nft list ruleset; docker ps -aq'])).toBe(before);
  });

  it('tells a user less, and calls nothing a fault that he may not see', async () => {
    const { exitCode, checks } = await askDoctor(lab, host, 'alice');
    expect(failedChecks(checks)).toEqual([]);
    expect(exitCode).toBe(0);
    expect(checks.filter(({ verdict }) => verdict === 'skip').map(({ check }) => check)).toEqual([
      'certificate',
      'scheduler',
      'network',
      'images',
    ]);
  });

  it('writes one line for each check for people', async () => {
    const { stdout } = await execOnHost(lab, host, { argv: ['hpc-submit-dockerjob', 'doctor', '--slurm'] });
    expect(stdout).toMatch(/^ok {4}engine +Docker Engine \S+ with cgroup v[12] \(cgroupfs\) answers at \S+$/m);
    expect(stdout).toMatch(/^\d+ ok, \d+ warnings, 0 failed, 0 not looked at$/m);
  });

  const epilog = `${packageDirectory}/share/slurm/epilog`;
  const key = '/etc/hpc-submit-dockerjob/tls/host-key.pem';
  const rule = '/etc/sudoers.d/hpc-submit-dockerjob';
  it.each([
    ['a file of the program that others can change', 'program', 78, `chmod o+w ${epilog}`, `chmod o-w ${epilog}`],
    ['no sudo rule', 'sudo-rule', 77, `mv ${rule} /root/rule`, `mv /root/rule ${rule}`],
    [
      'a sudo rule of ALL',
      'sudo-rule',
      77,
      'echo "ALL ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/all',
      'rm /etc/sudoers.d/all',
    ],
    [
      'a name that leads to itself',
      'host-name',
      69,
      'cp /etc/hosts /root/hosts; sed -i "s/^.*[[:blank:]]node1$/127.0.1.1 node1/" /etc/hosts',
      'cat /root/hosts >/etc/hosts',
    ],
    [
      'a Docker socket for everybody',
      'docker-socket',
      77,
      'chmod 0666 /var/run/docker.sock',
      'chmod 0660 /var/run/docker.sock',
    ],
    [
      'an epilog that others can change',
      'slurm-epilog',
      69,
      'chmod o+w /etc/slurm/epilog-hpc-dockerjob',
      'chmod o-w /etc/slurm/epilog-hpc-dockerjob',
    ],
    [
      'no runtime',
      'runtime',
      69,
      `mv ${packageDirectory}/runtime /opt/hpc-submit-dockerjob/kept`,
      `mv /opt/hpc-submit-dockerjob/kept ${packageDirectory}/runtime`,
    ],
    ['a key that others can read', 'certificate', 78, `chmod 0644 ${key}`, `chmod 0600 ${key}`],
    [
      'ports that users can bind',
      'network',
      69,
      'sysctl -qw net.ipv4.ip_unprivileged_port_start=80',
      'sysctl -qw net.ipv4.ip_unprivileged_port_start=1024',
    ],
  ])('finds %s', async (_, check, status, spoil, mend) => {
    await using _spoilt = await spoilHost(lab, host, spoil, mend);
    const { exitCode, checks } = await askDoctor(lab, host);
    expect(failedChecks(checks)).toEqual([check]);
    expect(exitCode).toBe(status);
  });

  const changes: readonly (readonly [string, string, number, SiteChange])[] = [
    ['an unknown key', 'policy', 78, { networks: {} }],
    ['a pool that this host uses', 'subnet-pool', 78, { network: { pool: '10.77.0.0/16' } }],
    ['an etcd that is not there', 'store', 69, { etcd: { endpoints: ['https://head:2390'] } }],
    ['a scheduler that is not there', 'scheduler', 69, { scheduler: { kind: 'lsf' } }],
    ['an image that is not there', 'images', 65, { applications: { 'a:1': { image: 'lab/absent:1' } } }],
  ];
  it.each(changes)('finds %s in site.yaml', async (_, check, status, change) => {
    await using _site = await changeSite(lab, change, [host]);
    const { exitCode, checks } = await askDoctor(lab, host);
    expect(failedChecks(checks)).toEqual([check]);
    expect(exitCode).toBe(status);
  });

  it('finds a Docker Engine that is away, and tells of it once', async () => {
    await using _site = await changeSite(lab, { docker: { socket: '/run/away.sock' } }, [host]);
    const { exitCode, checks } = await askDoctor(lab, host);
    expect(failedChecks(checks)).toEqual(['engine']);
    expect(exitCode).toBe(69);
  });

  it('finds a port of Docker without TLS', async () => {
    const listen =
      'use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 2375, Listen => 1) or die; sleep 8';
    const listening = execOnHost(lab, host, { argv: ['perl', '-e', listen] });
    await mustRun(lab, host, ['sh', '-c', 'until ss -ltn | grep -q :2375; do sleep 0.1; done']);
    expect(failedChecks((await askDoctor(lab, host)).checks)).toEqual(['docker-port']);
    await listening;
  });

  it('tells a user that the sudo rule is missing, and nothing that follows from it', async () => {
    await using _rule = await spoilHost(lab, host, `mv ${rule} /root/rule`, `mv /root/rule ${rule}`);
    const { exitCode, checks } = await askDoctor(lab, host, 'alice');
    expect(failedChecks(checks)).toEqual(['sudo-rule']);
    expect(exitCode).toBe(77);
  });
});

describe('check-host of the helper', () => {
  const ask = (question: string, user = 'alice') =>
    execOnHost(lab, host, {
      user,
      argv: ['sudo', '-n', '/opt/hpc-submit-dockerjob/bin/hpc-dockerjob-helper', 'check-host'],
      input: question,
    });

  it('tells nobody of images that he may not use', async () => {
    const known = await ask('{"scope":"quick","image":"lab/tiny:1"}');
    expect(known).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('lab/tiny:1 is here') as string });
    const forbidden = await ask('{"scope":"quick","image":"other/tiny:1"}');
    expect(forbidden.exitCode).toBe(77);
    expect(forbidden.stdout).toContain('IMAGE_NOT_ALLOWED');
  });

  it.each([
    ['a list', '[]'],
    ['another scope', '{"scope":"all"}'],
    ['an unknown key', '{"scope":"quick","socket":"/x"}'],
    ['half an object', '{'],
    ['too long a text', 'x'.repeat(20_000)],
    ['a number for an image', '{"scope":"quick","image":7}'],
  ])('refuses %s for a question', async (_, question) => {
    expect(await ask(question)).toMatchObject({
      exitCode: 64,
      stdout: '',
      stderr: expect.stringContaining('[USAGE]') as string,
    });
  });
});
