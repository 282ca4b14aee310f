/** The checks that need no root; each is seen to fail for its own reason. */
import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askHelper } from '../../../src/middleware/doctor/ask-helper.ts';
import { checkCommands } from '../../../src/middleware/doctor/check-commands.ts';
import { checkDockerPort } from '../../../src/middleware/doctor/check-docker-port.ts';
import { askGetent, checkDockerSocket } from '../../../src/middleware/doctor/check-docker-socket.ts';
import { checkHelper } from '../../../src/middleware/doctor/check-helper.ts';
import { checkHostName } from '../../../src/middleware/doctor/check-host-name.ts';
import { checkPolicy } from '../../../src/middleware/doctor/check-policy.ts';
import { checkProgram } from '../../../src/middleware/doctor/check-program.ts';
import { checkSubnetPool } from '../../../src/middleware/doctor/check-subnet-pool.ts';
import { checkSudoRule } from '../../../src/middleware/doctor/check-sudo-rule.ts';
import { renderFindings } from '../../../src/middleware/doctor/show-findings.ts';
import type { SiteConfig } from '../../../src/config/site-schema.ts';
import type { Check, Finding } from '../../../src/contract/finding.ts';
import { runChecks } from '../../../src/system/run-checks.ts';

async function find(check: Check): Promise<Finding> {
  const [finding] = await runChecks([check], 5000);
  return finding!;
}

/** Below a directory of root's: what is checked for rights must not lie in /tmp. */
let directory: string;
beforeEach(async () => {
  if (process.getuid?.() !== 0) throw new Error('Rights of files are what is checked here: these tests run as root.');
  directory = await mkdtemp('/root/doctor-');
});
afterEach(() => rm(directory, { recursive: true }));

describe('policy', () => {
  it.each([
    ['is valid', 'version: 1', 0o644, undefined],
    ['has a wrong key', 'version: 1\nnonsense: 1', 0o644, 'CONFIG_INVALID'],
    ['can be changed by others', 'version: 1', 0o666, 'CONFIG_UNTRUSTED'],
  ])('%s', async (_, text, mode, code) => {
    let loaded: SiteConfig | undefined;
    await writeFile(`${directory}/site.yaml`, text);
    await chmod(`${directory}/site.yaml`, mode);
    const found = await find(checkPolicy(`${directory}/site.yaml`, (site) => (loaded = site)));
    expect(found.code).toBe(code);
    expect(loaded === undefined).toBe(code !== undefined);
  });
});

describe('program', () => {
  beforeEach(async () => {
    await mkdir(`${directory}/package/dist`, { recursive: true });
    await writeFile(`${directory}/package/dist/helper.cjs`, '');
    await writeFile(`${directory}/package/helper`, '', { mode: 0o755 });
    await symlink('dist/helper.cjs', `${directory}/package/link`);
  });
  const check = (): Check => checkProgram(`${directory}/package`, `${directory}/package/helper`);

  it('is well, links included', async () => {
    expect(await find(check())).toMatchObject({ verdict: 'ok' });
  });

  it.each([
    ['a file that others can write', () => chmod(`${directory}/package/dist/helper.cjs`, 0o666)],
    ['a file of another owner', () => chown(`${directory}/package/dist/helper.cjs`, 65534, 0)],
    ['a directory that others can write', () => chmod(`${directory}/package/dist`, 0o777)],
    ['a directory above it that others can write', () => chmod(directory, 0o777)],
    ['a helper that is missing', () => rm(`${directory}/package/helper`)],
  ])('fails for %s', async (_, spoil) => {
    await spoil();
    expect(await find(check())).toMatchObject({ verdict: 'fail', code: 'CONFIG_UNTRUSTED' });
  });
});

describe('sudo-rule', () => {
  const verbs =
    /^\S+helper (?:open-job|check-host|run-node 1 0123456789abcdef|release-node 1|release-job 1_2|control-job 1 suspend|enter-job 1 0|show-jobs(?: 1)?)$/;
  const lets = (pattern: RegExp) => (_: string | undefined, argv: readonly string[]) =>
    Promise.resolve(pattern.test(argv.join(' ')));

  it.each([
    ['lets users call the verbs and no more', true, verbs, undefined],
    ['is missing', true, /^$/, /does not let users call open-job, check-host/],
    [
      'is of an older version',
      true,
      /(?:open-job|run-node 1 0123456789abcdef|release|control-job)/,
      /does not let users call check-host/,
    ],
    ['is too wide', true, /helper/, /lets every user run as root: \/x\/helper reap/],
    ['is one of ALL', true, /./, /\/bin\/sh/],
    ['is one of ALL, for whoever asks himself', false, /./, undefined],
  ])('%s', async (_, isRoot, pattern, message) => {
    const found = await find(checkSudoRule('/x/helper', isRoot, lets(pattern)));
    expect(found.verdict).toBe(message === undefined ? 'ok' : 'fail');
    if (message !== undefined) expect(found).toMatchObject({ code: 'NOT_PERMITTED' });
    expect(found.message).toMatch(message ?? /users may call/);
  });

  it('asks for a user without rights when root asks, else for whoever asks', async () => {
    const users = new Set<string | undefined>();
    const ask = (user: string | undefined): Promise<boolean> => (users.add(user), Promise.resolve(false));
    await find(checkSudoRule('/x/helper', true, ask));
    expect([...users]).toEqual(['nobody']);
    users.clear();
    await find(checkSudoRule('/x/helper', false, ask));
    expect([...users]).toEqual([undefined]);
  });
});

describe('host-name', () => {
  it.each([
    ['10.0.0.1', undefined],
    ['127.0.1.1', 'leads to 127.0.1.1'],
    ['10.0.0.9', 'no address of this host'],
    ['', 'has no IPv4 address'],
  ])('that leads to %j', async (address, message) => {
    const resolve = (): Promise<string> => (address === '' ? Promise.reject(new Error('x')) : Promise.resolve(address));
    const found = await find(checkHostName({ name: 'c12', ownAddresses: ['127.0.0.1', '10.0.0.1'], resolve }));
    expect(found.verdict).toBe(message === undefined ? 'ok' : 'fail');
    expect(found.message).toContain(message ?? 'c12 is 10.0.0.1');
  });
});

describe('docker-port', () => {
  const header = '  sl  local_address rem_address   st tx_queue rx_queue\n';
  it.each([
    ['nobody listens', `${header}   0: 0100007F:0BB8 00000000:0000 0A 0:0\n`, 'ok'],
    ['dockerd listens everywhere', `${header}   0: 00000000:0947 00000000:0000 0A 0:0\n`, 'fail'],
    ['a connection goes out to such a port', `${header}   0: 0100007F:8000 0100007F:0947 01 0:0\n`, 'ok'],
    ['a connection goes out from such a port', `${header}   0: 0100007F:0947 0100007F:8000 01 0:0\n`, 'ok'],
    ['dockerd listens on IPv6', `${header}   0: ${'0'.repeat(32)}:0947 ${'0'.repeat(32)}:0000 0A 0:0\n`, 'fail'],
  ])('%s', async (_, table, verdict) => {
    expect(await find(checkDockerPort(() => Promise.resolve(['', table])))).toMatchObject({ verdict });
  });
});

describe('docker-socket', () => {
  async function withSocket(mode: number, uid = 0, gid = 0, members: readonly string[] = []): Promise<Finding> {
    const path = `${directory}/docker.sock`;
    const server = createServer().listen(path);
    await new Promise((ready) => server.once('listening', ready));
    await chown(path, uid, gid);
    await chmod(path, mode);
    try {
      return await find(checkDockerSocket(path, () => Promise.resolve(members)));
    } finally {
      server.close();
    }
  }

  it.each([
    ['root alone', 0o660, 0, 0, [], 'ok'],
    ['root and an empty group', 0o660, 0, 999, [], 'ok'],
    ['a group with root in it', 0o660, 0, 999, ['root'], 'ok'],
    ['a group with users that cannot write', 0o600, 0, 999, ['eve'], 'ok'],
    ['a group with users', 0o660, 0, 999, ['eve'], 'fail'],
    ['everybody', 0o666, 0, 0, [], 'fail'],
    ['another owner', 0o600, 65534, 0, [], 'fail'],
  ] as const)('that %s can open', async (_, mode, uid, gid, members, verdict) => {
    const found = await withSocket(mode, uid, gid, members);
    expect(found.verdict).toBe(verdict);
    if (verdict === 'fail') expect(found).toMatchObject({ code: 'NOT_PERMITTED' });
  });

  it('that others could put in its place fails', async () => {
    await chmod(directory, 0o777);
    expect(await withSocket(0o600)).toMatchObject({ verdict: 'fail', code: 'NOT_PERMITTED' });
  });

  it('is not taken for root’s alone where the user database does not answer', async () => {
    expect(await askGetent(0)).toEqual([]);
    expect(await askGetent(987_654_321)).toEqual([]);
    await expect(askGetent(0, '/bin/false')).rejects.toMatchObject({ code: 'HOST_UNFIT' });
    await expect(askGetent(0, '/nonexistent/getent')).rejects.toMatchObject({ code: 'HOST_UNFIT' });
  });

  it('that is not there is left to the check of the engine', async () => {
    expect(await find(checkDockerSocket('/nonexistent/docker.sock'))).toMatchObject({ verdict: 'skip' });
  });
});

describe('commands', () => {
  it('names the programs that are missing, and their packages', async () => {
    expect(await find(checkCommands('/usr/bin:/bin:/usr/sbin:/sbin'))).toMatchObject({ verdict: 'ok' });
    expect(await find(checkCommands(directory))).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('ip, bridge, nft') as string,
      hint: expect.stringContaining('iproute2, nftables') as string,
    });
  });
});

describe('subnet-pool', () => {
  const routes = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'eth0\t0000800A\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0', // 10.128.0.0/12
    '',
  ].join('\n');

  it.each([
    ['10.128.0.0/16', 'fail'],
    ['10.0.0.0/8', 'fail'],
    ['10.64.0.0/12', 'ok'],
    ['172.30.0.0/16', 'ok'],
  ])('%s', async (pool, verdict) => {
    const found = await find(checkSubnetPool(pool, () => Promise.resolve(routes)));
    expect(found.verdict).toBe(verdict);
    if (verdict === 'fail') expect(found.message).toContain('10.128.0.0/12 (eth0)');
  });
});

describe('helper', () => {
  const findingsOf = async (script: string): Promise<{ own: Finding; byRoot: readonly Finding[] }> => {
    let byRoot: readonly Finding[] = [];
    const ask = async (): Promise<readonly Finding[]> => await askHelper(['/bin/sh', '-c', script], { scope: 'full' });
    const own = await find(checkHelper(ask, (findings) => (byRoot = findings)));
    return { own, byRoot };
  };

  it('hands on what root has found, whatever status the helper ends with', async () => {
    const line = '{"check":"engine","verdict":"fail","code":"ENGINE_UNREACHABLE","message":"away"}';
    const { own, byRoot } = await findingsOf(`read question; echo '${line}'; exit 69`);
    expect(own).toMatchObject({ verdict: 'ok' });
    expect(byRoot).toEqual([JSON.parse(line)]);
  });

  it('says that it is late, not that half of its answer cannot be read', async () => {
    const late = askHelper(['/bin/sh', '-c', 'printf "{\\"check\\":"; exec sleep 5'], { scope: 'full' }, 300);
    await expect(late).rejects.toMatchObject({
      code: 'HELPER_UNAVAILABLE',
      message: expect.stringContaining('no answer within 0.3 s') as string,
    });
  });

  it.each([
    ['sudo refuses', 'echo "sudo: a password is required" >&2; exit 1', 'HELPER_UNAVAILABLE', 'password'],
    [
      'it refuses to work',
      'echo "hpc-dockerjob-helper: /usr/x cannot be trusted. Look. [CONFIG_UNTRUSTED]" >&2; exit 78',
      'CONFIG_UNTRUSTED',
      '/usr/x cannot be trusted',
    ],
    ['it says something else', 'echo hello; exit 0', 'HELPER_UNAVAILABLE', 'hello'],
    ['it is missing', 'exec /nonexistent/helper', 'HELPER_UNAVAILABLE', 'not found'],
  ])('fails when %s', async (_, script, code, message) => {
    const { own } = await findingsOf(script);
    expect(own).toMatchObject({ verdict: 'fail', code, message: expect.stringContaining(message) as string });
  });
});

describe('renderFindings', () => {
  it('writes one line for each, and nothing that steers a terminal', () => {
    const text = renderFindings([
      { check: 'engine', verdict: 'fail', code: 'HOST_UNFIT', message: 'a\n\u001b[2Jb.', hint: 'Do c.' },
      { check: 'store', verdict: 'warn', message: 'is slow', hint: 'Wait.' },
    ]);
    expect(text).toBe(
      'fail  engine  a [2Jb. Do c. [HOST_UNFIT]\nwarn  store   is slow. Wait.\n0 ok, 1 warnings, 1 failed, 0 not looked at\n',
    );
  });
});
