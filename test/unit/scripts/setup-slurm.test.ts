/** hpc-dockerjob-setup slurm, on files of a directory of its own. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let directory: string;
const at = (name: string): string => join(directory, name);
const read = (name: string): string | undefined => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : undefined);
const names = ['slurm.conf', 'cgroup.conf', 'cli_filter.lua'] as const;
const readAll = () => names.map(read);

beforeEach(() => {
  directory = mkdtempSync('/root/setup-slurm-');
  // As if Slurm had its plugin.
  mkdirSync(at('plugins'));
  writeFileSync(at('plugins/cli_filter_lua.so'), '');
  writeFileSync(at('slurm.conf'), plain());
});
afterEach(() => rmSync(directory, { recursive: true }));

const plain = (): string => `ClusterName=x\nPluginDir=${directory}/plugins\n`;

function setUp(...options: readonly string[]) {
  const argv = ['bin/hpc-dockerjob-setup', 'slurm', ...options, '--conf', directory];
  const { status, stdout } = spawnSync('sh', argv, { encoding: 'utf8' });
  return { status, stdout };
}

describe('hpc-dockerjob-setup slurm', () => {
  it('shows what is missing and changes nothing, adds it once, and takes away just that', () => {
    const before = readAll();
    const shown = setUp();
    expect(shown.status).toBe(69);
    expect(shown.stdout).toContain('missing  CliFilterPlugins=lua');
    expect(readAll()).toEqual(before);
    expect(setUp('--install').status).toBe(0);
    expect(read('slurm.conf')).toMatch(
      /\nEpilog=\/.*\/share\/slurm\/epilog\nCliFilterPlugins=lua\nPrologFlags=Contain\n/,
    );
    expect(read('cli_filter.lua')).toMatch(/^pcall\(dofile, "\/.*\/share\/slurm\/cli_filter\.lua"\)$/m);
    const installed = readAll();
    expect(setUp('--install').status).toBe(0);
    expect(setUp().status).toBe(0);
    expect(readAll()).toEqual(installed);
    expect(setUp('--remove').status).toBe(0);
    expect(readAll()).toEqual(before);
    expect(setUp('--remove').status).toBe(0);
    expect(readAll()).toEqual(before);
  });

  it.each([
    ['a last line without end', 'slurm.conf', (): string => `${plain()}Last=1`],
    ['an empty file', 'cli_filter.lua', (): string => ''],
    ['functions of the site', 'cli_filter.lua', (): string => 'function slurm_cli_pre_submit() return 0 end\n'],
    ['two settings in a line', 'slurm.conf', (): string => `${plain()}SlurmUser=slurm TaskPlugin=task/cgroup # x\n`],
  ])('leaves %s as it was, with its mode', (_, name, text) => {
    writeFileSync(at(name), text(), { mode: 0o640 });
    chmodSync(at(name), 0o640);
    expect(setUp('--install').status).toBe(0);
    expect(read(name)?.startsWith(text())).toBe(true);
    expect(statSync(at(name)).mode & 0o777).toBe(0o640);
    setUp('--remove');
    expect(read(name)).toBe(text());
  });

  it('replaces the lines of an earlier release', () => {
    setUp('--install');
    writeFileSync(
      at('slurm.conf'),
      read('slurm.conf')?.replace(/Epilog=.*/, 'Epilog=/opt/older/share/slurm/epilog') ?? '',
    );
    expect(setUp('--install').status).toBe(0);
    expect(read('slurm.conf')).not.toContain('older');
    expect(read('slurm.conf')?.match(/BEGIN/g)).toHaveLength(1);
  });

  it.each([
    ['Epilog=/etc/slurm/mine', 'Epilog is /etc/slurm/mine'],
    ['prologflags = Alloc,X11', 'PrologFlags is Alloc,X11'],
    ['ProctrackType=proctrack/linuxproc', 'ProctrackType is proctrack/linuxproc'],
    ['CliFilterPlugins=user_defaults', 'CliFilterPlugins is user_defaults'],
  ])('leaves a setting of the site: %s', (line, words) => {
    writeFileSync(at('slurm.conf'), `${plain()}${line}\n`);
    const { status, stdout } = setUp('--install');
    expect(status).toBe(69);
    expect(stdout).toContain(`by hand  ${words}`);
    expect(read('slurm.conf')?.match(new RegExp(line.split(/\s?=/)[0] ?? '', 'gi'))).toHaveLength(1);
  });

  it.each([
    ['includes', () => writeFileSync(at('slurm.conf'), `${plain()}  include /etc/more.conf\n`)],
    ['is handed out', () => writeFileSync(at('slurm.conf'), `${plain()}SlurmctldParameters=enable_configless\n`)],
    ['goes on in the next line', () => writeFileSync(at('slurm.conf'), `${plain()}A=1 \\\nB=2\n`)],
    ['has the line ends of Windows', () => writeFileSync(at('slurm.conf'), plain().replaceAll('\n', '\r\n'))],
    ['others can change', () => chmodSync(at('slurm.conf'), 0o666)],
    [
      'is a link',
      () => {
        writeFileSync(at('real.conf'), plain());
        rmSync(at('slurm.conf'));
        symlinkSync(at('real.conf'), at('slurm.conf'));
      },
    ],
    ['has damaged marks', () => writeFileSync(at('slurm.conf'), `${plain()}# BEGIN hpc-submit-dockerjob: x\n`)],
    ['is not there', () => rmSync(at('slurm.conf'))],
  ])('prints the lines for a slurm.conf that %s, and leaves it', (_, spoil) => {
    spoil();
    const before = read('slurm.conf');
    const { status, stdout } = setUp('--install');
    expect(status).toBe(69);
    expect(stdout).toMatch(/by hand {2}.*Write there:\n(?:.*\n)*\s+Epilog=\//);
    expect(read('slurm.conf')).toBe(before);
    setUp('--remove');
    expect(read('slurm.conf')).toBe(before);
  });

  it.each([
    ['return slurm.SUCCESS\n', 'before that'],
    ['x = 1\n  return 0 -- done\n\n-- end\n', 'before that'],
  ])('adds nothing behind the return of a cli_filter.lua', (text, words) => {
    writeFileSync(at('cli_filter.lua'), text);
    expect(setUp('--install').stdout).toContain(words);
    expect(read('cli_filter.lua')).toBe(text);
  });

  it('names no plugin that this Slurm does not have', () => {
    rmSync(at('plugins'), { recursive: true });
    const hasPlugin = spawnSync('sh', ['-c', 'find /usr/lib /usr/lib64 -name cli_filter_lua.so | grep .']).status === 0;
    const { stdout } = setUp('--install');
    expect(stdout.includes('has no cli_filter_lua.so')).toBe(!hasPlugin);
    expect(read('slurm.conf')?.includes('CliFilterPlugins')).toBe(hasPlugin);
  });
});
