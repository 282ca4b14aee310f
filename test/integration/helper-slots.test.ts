/** How many helpers of one user run at once on a host: the shell wrapper alone, with a program that only lasts. */
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const slotsDirectory = '/run/hpc-dockerjob-slots';
/** No user of this machine, nor of another run. */
const uid = 1_900_000_000 + process.pid * 10;
const program = `
const { appendFileSync, existsSync } = require('node:fs');
const log = process.env.HPCDJ_HELPER.replace('/bin/hpc-dockerjob-helper', '/log');
appendFileSync(log, '+\\n');
const look = () => { if (existsSync(log + '.over')) { appendFileSync(log, '-\\n'); console.log('served'); } else setTimeout(look, 20); };
look();`;

let directory: string;
let count = 0;
beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('The slots are in a directory of root: this needs root.');
  directory = await mkdtemp('/root/slots-');
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  for (const name of await readdir(slotsDirectory))
    if (name.startsWith(String(uid).slice(0, -1))) await rm(`${slotsDirectory}/${name}`);
});

/** A package with the real wrapper; its program lasts until `end`. */
async function install(): Promise<{
  call: (
    shell: string,
    user: number | undefined,
    verb: string,
  ) => Promise<{ status?: number; out: string; err: string }>;
  begun: () => Promise<number>;
  end: () => Promise<void>;
}> {
  const own = `${directory}/${(count += 1)}`;
  const node = `${own}/node_modules/node-linux-${process.arch}/bin`;
  for (const each of ['bin', 'share', 'dist']) await mkdir(`${own}/${each}`, { recursive: true });
  await mkdir(node, { recursive: true });
  await copyFile(`${root}/bin/hpc-dockerjob-helper`, `${own}/bin/hpc-dockerjob-helper`);
  await copyFile(`${root}/share/take-slot`, `${own}/share/take-slot`);
  await symlink(process.execPath, `${node}/node`);
  await writeFile(`${own}/dist/helper.cjs`, program);
  return {
    call: async (shell, user, verb) => {
      const result = await execa(shell, [`${own}/bin/hpc-dockerjob-helper`, verb], {
        env: user === undefined ? {} : { SUDO_UID: String(user) },
        extendEnv: false,
        ...{ reject: false, stdin: 'ignore', timeout: 50_000 },
      });
      return {
        ...(result.exitCode === undefined ? {} : { status: result.exitCode }),
        out: result.stdout,
        err: result.stderr,
      };
    },
    begun: async () => {
      const { stdout } = await execa('sh', ['-c', `grep -c + ${own}/log || :`]);
      return Number(stdout);
    },
    end: async () => await writeFile(`${own}/log.over`, ''),
  };
}

describe.each(['/bin/dash', '/bin/bash'])('under %s', (shell) => {
  it('serves a few short calls of a user at once, the others after them', async () => {
    const { call, begun, end } = await install();
    const calls = Array.from({ length: 10 }, () => call(shell, uid, 'check-host'));
    await expect.poll(begun, { timeout: 20_000 }).toBe(6);
    // Another user's call and root's do not wait.
    const others = [call(shell, uid + 1, 'check-host'), call(shell, undefined, 'check-host')];
    await expect.poll(begun, { timeout: 20_000 }).toBe(8);
    await end();
    for (const { status, out } of await Promise.all([...calls, ...others]))
      expect([status, out]).toEqual([0, 'served']);
  });

  it('refuses at once who comes from no job and has begun enough, and says so in the words of open-job', async () => {
    const { call, begun, end } = await install();
    const calls = Array.from({ length: 8 }, () => call(shell, uid + 2, 'open-job'));
    await expect.poll(begun, { timeout: 20_000 }).toBe(8);
    const { status, out, err } = await call(shell, uid + 2, 'open-job');
    expect(status).toBe(75);
    expect(JSON.parse(out)).toMatchObject({ event: 'refused', code: 'OVER_BUDGET', exitStatus: 75 });
    expect(err).toMatch(/^hpc-dockerjob-helper: Too many calls of this user .* \[OVER_BUDGET\]$/);
    expect(await begun()).toBe(8);
    await end();
    for (const { status: each } of await Promise.all(calls)) expect(each).toBe(0);
    // What is over holds nothing.
    expect((await call(shell, uid + 2, 'open-job')).status).toBe(0);
  });
});

it('gives nobody but root a way to the slots', async () => {
  const { stdout } = await execa('stat', ['--format=%U %a', slotsDirectory]);
  expect(stdout).toBe('root 700');
});
