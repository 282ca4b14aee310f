import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { bashCompletion } from '../../../src/middleware/complete-shell.ts';
import { createProgram } from '../../../src/middleware/create-program.ts';

const program = createProgram([], () => undefined);

/** What a real bash offers for the last of these words. */
function complete(...words: readonly string[]): readonly string[] {
  const script = `${bashCompletion(program)}
compopt() { :; }
COMP_WORDS=(hpc-submit-dockerjob "$@") COMP_CWORD=$#
_hpc_submit_dockerjob && printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script, 'bash', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  it.each([
    ['verbs', ['c'], ['config', 'completion']],
    ['no verbs that the help does not show', ['e'], ['explain']],
    ['options', ['--a'], ['--application']],
    ['verbs below a verb', ['config', ''], ['check', 'help', '--help']],
    ['verbs below another', ['policy', 't'], ['test']],
    ['options of a verb with two words', ['policy', 'test', '--s'], ['--site']],
    ['options of a verb', ['explain', '--ho'], ['--hosts']],
    ['options after others', ['explain', '--image', 'x', '--conf'], ['--config']],
    ['choices of an argument', ['completion', 'b'], ['bash']],
    ['nothing of ours in the command', ['--', 'mpirun', '--'], []],
    ['nothing of ours for a directory', ['--workdir', ''], []],
  ])('offers %s', (_, words, offered) => {
    expect(complete(...words)).toEqual(offered);
  });

  it('offers every option and verb that the help shows', () => {
    const verbs = program.createHelp().visibleCommands(program);
    expect(verbs.map((verb) => verb.name())).toContain('starter');
    for (const verb of verbs) {
      expect(complete(verb.name())).toContain(verb.name());
      for (const { long } of verb.options) expect(complete(verb.name(), long ?? '')).toContain(long);
    }
  });
});
