/** Hooks that a scheduler may run as root, with all that a user can put into the environment of his job. */
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const share = new URL('../../share/', import.meta.url);
/** No other run of the tests has it. */
const job = String(900_000_000 + process.pid);
const traces = '/run/hpc-dockerjob';
const environmentOfRoot = {
  PATH: '/bin:/usr/bin:/sbin:/usr/sbin',
  LSB_JOBID: job,
  LSB_JOBINDEX: '0',
  SLURM_JOB_ID: job,
  JOB_ID: job,
  SGE_TASK_ID: 'undefined',
};

/** Below root's home: as an installed package, with a helper and a middleware that only write down how they were called. */
let directory: string;
beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('Hooks of root are what is tested here: this needs root.');
  directory = await mkdtemp('/root/hooks-');
  for (const path of ['bin', 'share/lsf', 'share/slurm', 'share/gridengine', 'evil', 'dash', 'bash'])
    await mkdir(`${directory}/${path}`, { recursive: true });
  for (const hook of [
    'lsf/pre-exec',
    'lsf/post-exec',
    'lsf/job-control',
    'slurm/prolog',
    'slurm/epilog',
    ...hooksOfGridEngine,
    'gridengine/find-helper',
  ])
    await copyFile(new URL(hook, share), `${directory}/share/${hook}`);
  const record = `#!/bin/sh\n{ id -u; echo "$@"; env; } >${directory}/called\n`;
  for (const name of ['hpc-dockerjob-helper', 'hpc-submit-dockerjob']) {
    await writeFile(`${directory}/bin/${name}`, record);
    await chmod(`${directory}/bin/${name}`, 0o755);
  }
  await symlink('/bin/dash', `${directory}/dash/sh`);
  await symlink('/bin/bash', `${directory}/bash/sh`);
  // What a user has brought along: each leaves a mark when anybody runs it.
  const payload = `/usr/bin/touch ${directory}/evil/ran`;
  for (const name of ['id', 'grep', 'readlink', 'timeout', 'sudo', 'logger', 'env', 'ls']) {
    await writeFile(`${directory}/evil/${name}`, `#!/bin/sh\n${payload}\n`);
    await chmod(`${directory}/evil/${name}`, 0o755);
  }
  await writeFile(`${directory}/evil/startup.sh`, `${payload}\n`);
  await writeFile(`${directory}/evil/startup.js`, `require('fs').writeFileSync('${directory}/evil/ran', '')\n`);
  await mkdir(`${traces}/${job}`, { recursive: true, mode: 0o700 });
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await rmdir(`${traces}/${job}`);
  await rmdir(traces).catch(() => undefined); // others have jobs here
});
beforeEach(async () => {
  await rm(`${directory}/evil/ran`, { force: true });
  await rm(`${directory}/called`, { force: true });
});

interface Run {
  readonly status: number | undefined;
  readonly stderr: string;
  /** Something of the user's was run. */
  readonly ranEvil: boolean;
  /** User, arguments and environment of the program that the hook called. */
  readonly called: string;
}

/** Runs a hook by its first line's option, under the shell that this host could have as /bin/sh. */
async function runHook(hook: string, shell: string, environment: Readonly<Record<string, string>>): Promise<Run> {
  const argv = hook === 'lsf/job-control' ? ['suspend'] : [];
  const result = await execa(`${directory}/${shell}/sh`, ['-p', `${directory}/share/${hook}`, ...argv], {
    ...{ env: { ...environmentOfRoot, ...environment }, extendEnv: false, cwd: `${directory}/evil` },
    ...{ reject: false, stdin: 'ignore', timeout: 30_000 },
  });
  const exists = async (path: string): Promise<string> => await readFile(path, 'utf8').catch(() => '');
  const ran = await readFile(`${directory}/evil/ran`).then(
    () => true,
    () => false,
  );
  return { status: result.exitCode, stderr: result.stderr, ranEvil: ran, called: await exists(`${directory}/called`) };
}

const hooksOfGridEngine = ['gridengine/epilog', 'gridengine/control'] as const;
const hooksOfLsf = ['lsf/pre-exec', 'lsf/post-exec', 'lsf/job-control'] as const;
const hooks = [...hooksOfLsf, 'slurm/epilog', 'slurm/prolog', 'gridengine/epilog'] as const;
const shells = ['dash', 'bash'] as const;
const pairs = hooks.flatMap((hook) => shells.map((shell) => [hook, shell] as const));

/** What a user sets, by his name for it; none of it may have any effect on what root does. */
function harmless(): Readonly<Record<string, string>> {
  const evil = `${directory}/evil`;
  const call = `() { /usr/bin/touch ${evil}/ran; }`;
  const functions = [
    'id',
    'grep',
    'readlink',
    'timeout',
    'sudo',
    'logger',
    'env',
    'printf',
    'echo',
    'exec',
    'exit',
    'test',
    '[',
    'ls',
    'sleep',
  ];
  return {
    BASH_ENV: `${evil}/startup.sh`,
    ENV: `${evil}/startup.sh`,
    PATH: evil,
    IFS: '/: x',
    CDPATH: evil,
    PS4: `$(/usr/bin/touch ${evil}/ran)`,
    NODE_OPTIONS: `--require ${evil}/startup.js`,
    PERL5OPT: '-Mevil',
    PYTHONSTARTUP: `${evil}/startup.sh`,
    GREP_OPTIONS: '--invert-match',
    TIMEOUT: '0',
    SUDO_UID: '65534',
    SUDO_COMMAND: '/x/hpc-dockerjob-helper run-node 9',
    HPCDJ_HELPER: `${evil}/id`,
    LSB_JOBPGIDS: `$(/usr/bin/touch ${evil}/ran) -1 1 * ${process.pid}`,
    LSB_JOBPIDS: '`id`',
    POSIXLY_CORRECT: '1',
    // sudo lets it through
    DISPLAY: 'evil:0',
    ...Object.fromEntries(functions.map((name) => [`BASH_FUNC_${name}%%`, call])),
  };
}

describe.each(pairs)('%s under %s', (hook, shell) => {
  it('calls our program as root, with nothing of the environment but what it needs', async () => {
    const { called, ranEvil } = await runHook(hook, shell, harmless());
    expect(ranEvil).toBe(false);
    const [uid, argv, ...variables] = called.trim().split('\n');
    expect(uid).toBe('0');
    expect(argv).toMatch(
      /^(?:release-node (?:--scheduler-job )?9\d{8}|control-job 9\d{8} suspend|pre-exec|check-host)$/,
    );
    const known =
      /^(?:PATH=\/usr\/sbin:\/usr\/bin:\/sbin:\/bin|PWD=|OLDPWD=|SHLVL=|_=|LC_ALL=C|LSB_|HPCDJ_(?:APPLICATION|IMAGE)=$)/;
    // sudo says who has called it, and that was root.
    const bySudo =
      /^(?:SUDO_(?:COMMAND=\/.*\/hpc-dockerjob-helper (?:release-node 9\d{8}|control-job 9\d{8} suspend)|UID=0|GID=0|USER=root|HOME=\/root)|(?:LOGNAME|USER)=root|HOME=\/root|MAIL=|SHELL=|TERM=|PATH=\/usr\/local\/sbin:)/;
    expect(variables.filter((line) => !known.test(line) && !bySudo.test(line))).toEqual([]);
  });

  it.each(Object.keys({ BASH_ENV: 1, ENV: 1, PATH: 1, IFS: 1, NODE_OPTIONS: 1, PS4: 1 }))(
    'runs nothing of the user’s for %s',
    async (name) => {
      const { called, ranEvil } = await runHook(hook, shell, { [name]: harmless()[name]! });
      expect({ ranEvil, called: called.split('\n')[0] }).toEqual({ ranEvil: false, called: '0' });
    },
  );

  it.each(['$(touch ran)', '7; touch ran', '../../7', '07', '-1', '', '7\n8'])(
    'runs nothing for the job id %j',
    async (id) => {
      const { called, ranEvil } = await runHook(hook, shell, { LSB_JOBID: id, SLURM_JOB_ID: id, JOB_ID: id });
      expect(ranEvil).toBe(false);
      expect(called).not.toMatch(/release-node|control-job/);
    },
  );
});

describe.each([...hooksOfLsf, ...hooksOfGridEngine].flatMap((hook) => shells.map((shell) => [hook, shell] as const)))(
  '%s under %s as root',
  (hook, shell) => {
    const acting: readonly (readonly [string, () => string])[] = [
      ['LD_PRELOAD', () => '/nonexistent/library.so'],
      ['LD_LIBRARY_PATH', () => `${directory}/evil`],
      ['LD_AUDIT', () => '/nonexistent/library.so'],
      ['LD_DEBUG_OUTPUT', () => `${directory}/evil/ran`],
      ['GLIBC_TUNABLES', () => 'glibc.malloc.check=3'],
      ['GCONV_PATH', () => `${directory}/evil`],
      ['LOCPATH', () => `${directory}/evil`],
      ['SHELLOPTS', () => 'noglob'],
      ['BASHOPTS', () => 'extglob'],
    ];
    it.each(acting)('refuses to go on with %s', async (name, value) => {
      const { status, stderr, called, ranEvil } = await runHook(hook, shell, { [name]: value() });
      expect({ status, called, ranEvil }).toEqual({ status: 77, called: '', ranEvil: false });
      expect(stderr).toMatch(/LSB_PRE_POST_EXEC_USER must not be root|Write no root@ before it/);
    });
  },
);

describe.each(hooksOfLsf.flatMap((hook) => shells.map((shell) => [hook, shell] as const)))(
  '%s under %s as root',
  (hook, shell) => {
    it('is not misled by such names within a value', async () => {
      const { called } = await runHook(hook, shell, { NOTE: 'x\nLD_PRELOAD=/x', OLD_LD_PRELOAD: '/x' });
      expect(called).not.toBe('');
    });
  },
);

describe('the loader', () => {
  it('has obeyed a user as root before the first line of any hook, and the hook lends him nothing more', async () => {
    const hostile = { LD_DEBUG: 'files', LD_DEBUG_OUTPUT: `${directory}/evil/written` };
    const { status, called } = await runHook('lsf/pre-exec', 'dash', hostile);
    // The point of the refusal: no hook can prevent this, so the setting that leads to it must go.
    const written = (await readdir(`${directory}/evil`)).filter((name) => name.startsWith('written.'));
    expect(written.length).toBeGreaterThan(0);
    expect({ status, called }).toEqual({ status: 77, called: '' });
  });
});

describe('the guard', () => {
  it.each([
    ['LSF', hooksOfLsf],
    ['Grid Engine', hooksOfGridEngine],
  ] as const)('is the same in every hook that %s may run as root', async (_, hooksOfOne) => {
    const guards = await Promise.all(
      hooksOfOne.map(async (hook) => {
        const text = await readFile(new URL(hook, share), 'utf8');
        expect(text.startsWith('#!/bin/sh -p\n')).toBe(true);
        return /^# begin: .*?^# end$/ms.exec(text)?.[0];
      }),
    );
    expect(guards[0]).toBeDefined();
    expect(new Set(guards).size).toBe(1);
  });
});
