import { describe, expect, it } from 'vitest';
import { exportEnvironment, parseExportFile } from '../../../src/slurm/submit/export-environment.ts';
import { findOwnCall } from '../../../src/slurm/submit/find-own-call.ts';
import { splitSimpleCommand } from '../../../src/slurm/submit/split-simple-command.ts';
import { leastHosts, onlyPartition } from '../../../src/slurm/submit/submission.ts';

describe('exportEnvironment', () => {
  const own = { FOO: 'foo', BAR: 'bar' };
  // As Slurm 22.05 was seen to do it.
  it.each([
    [undefined, own],
    ['ALL', own],
    ["ALL,A='b,c'", { ...own, A: "'b,c'" }],
    ['A="b,c"', { A: '"b,c"' }],
    ['FOO,ALL', own],
    ['all,A=1', { ...own, A: '1' }],
    ['NONE', {}],
    ['nil', {}],
    ['FOO', { FOO: 'foo' }],
    ['FOO,NONE', { FOO: 'foo' }],
    ['NONE,A=3', { A: '3' }],
    ['ALLX', {}],
    ['ALL=1', { ALL: '1' }],
    ['A= b ,FOO', { A: ' b ', FOO: 'foo' }],
    ['=x', {}],
    ["A=b'x'c", { A: "b'x'c" }],
    ['BAR,FOO=2', { BAR: 'bar', FOO: '2' }],
  ])('makes of --export=%s what Slurm makes of it', (list, expected) => {
    expect({ ...exportEnvironment(own, { list }) }).toEqual(expected);
  });

  const file = parseExportFile('FOO=file\0A=q\0');
  it.each([
    [undefined, { FOO: 'file', A: 'q' }],
    ['ALL', { FOO: 'file', A: 'q' }],
    ['BAR', { FOO: 'file', A: 'q' }],
    ['BAR,A=1', { FOO: 'file', A: '1' }],
    ['NONE', {}],
  ])('takes the file of --export-file instead of the environment, with --export=%s', (list, expected) => {
    expect({ ...exportEnvironment(own, { list, file }) }).toEqual(expected);
  });

  it('keeps names of an object’s own parts apart', () => {
    const made = exportEnvironment({}, { list: '__proto__=x,constructor=y' });
    expect(Object.entries(made)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect('toString' in made).toBe(false);
  });
});

describe('splitSimpleCommand', () => {
  it.each([
    ['a b  c', ['a', 'b', 'c']],
    [` a 'b c' "d e"f \\$g `, ['a', 'b c', 'd ef', '$g']],
    [`a 'it'"'"'s'`, ['a', "it's"]],
    [`a ''`, ['a', '']],
    ['X=1 a', ['X=1', 'a']],
  ])('splits %s', (line, words) => {
    expect(splitSimpleCommand(line)).toEqual(words);
  });

  it.each([
    'a; b',
    'a && b',
    'a $X',
    'a "$X"',
    'a `b`',
    'a > f',
    'a *',
    'a ~',
    'a\nb',
    "a 'b",
    'a "b',
    'a # b',
    'a {b,c}',
  ])('leaves %j to a shell', (line) => expect(splitSimpleCommand(line)).toBeUndefined());
});

describe('findOwnCall', () => {
  it.each([
    ['srun', ['hpc-submit-dockerjob', '--image', 'x'], undefined, ['--image', 'x']],
    ['srun', ['/usr/local/bin/hpc_submit_dockerjob'], undefined, []],
    ['srun', ['sh', '-c', 'hpc-submit-dockerjob'], undefined, undefined],
    // Slurm copies the file: the program is no batch script.
    ['sbatch', ['hpc-submit-dockerjob'], undefined, undefined],
    ['sbatch', [], 'COMMAND=a exec hpc-submit-dockerjob --quiet', ['--quiet']],
    ['sbatch', [], 'cd x && hpc-submit-dockerjob', undefined],
    ['sbatch', [], 'hpc-submit-dockerjobs', undefined],
    ['sbatch', [], '', undefined],
  ] as const)('of %s %j --wrap %j', (kind, words, wrap, expected) => {
    expect(findOwnCall({ kind, words, wrap })?.words).toEqual(expected);
  });
});

it.each([
  ['3', 3],
  ['2-4', 2],
  ['1-0', 1],
  [undefined, undefined],
  ['0', undefined],
  ['1,3', undefined],
  ['many', undefined],
])('reads the least number of hosts out of --nodes=%s', (nodes, count) => {
  expect(leastHosts({ nodes })).toBe(count);
});

it.each([
  ['lab', 'lab'],
  ['a,b', undefined],
  ['', undefined],
  [undefined, undefined],
])('knows the one partition of --partition=%s', (partition, name) => {
  expect(onlyPartition({ partition })).toBe(name);
});
