import { describe, expect, it } from 'vitest';
import { findSecondCommand } from '../../../src/lsf/esub/find-second-command.ts';
import { findCommandLine } from '../../../src/middleware/lsf/find-command-line.ts';

describe('the command that LSF would run on the host itself', () => {
  it.each([
    ['echo "a  b" $HOSTNAME; id', 'id'],
    ['cd case && ./run', './run'],
    ['./a || ./b', './b'],
    ['./prog | tee log', 'tee log'],
    ['./a & ./b', './b'],
    ['./a\n./b', './b'],
    ['x=$(a; b) ./c; d', 'd'],
    ["echo 'it''s'; id", 'id'],
    ['echo \\"; id', 'id'],
  ])('of %j is %j', (line, second) => {
    expect(findSecondCommand(line)).toBe(second);
  });

  it.each([
    './prog a b',
    './prog;',
    "bash -c 'a; b && c'",
    'echo "a; b"',
    'echo a\\;b',
    'echo $(a; b) `c; d`',
    './prog >out 2>&1 <in',
    './prog &>out',
    './prog >|out',
    './prog # a; b',
  ])('of %j is none', (line) => {
    expect(findSecondCommand(line.replace(' # a; b', ''))).toBeUndefined();
  });
});

describe('the command line of a submission', () => {
  const text = 'LSB_SUB_QUEUE="normal"\nLSB_SUB_COMMAND_LINE="echo "a  b"; id"\n';

  it('is that of bsub’s words', () => {
    const ancestors = () => [
      ['/bin/sh', 'esub.foam'],
      ['bsub', '-a', 'foam', 'echo "a  b"; id'],
    ];
    expect(findCommandLine(text, ancestors)).toBe('echo "a  b"; id');
  });

  it.each([
    ['a script on standard input, whose lines LSF joins', text, [['bsub', '-a', 'foam']]],
    ['an LSF that does not tell it', 'LSB_SUB_QUEUE="normal"\n', [['bsub', '-a', 'foam', 'a; b']]],
  ])('is not known of %s', (_, parameters, ancestors) => {
    expect(findCommandLine(parameters, () => ancestors)).toBeUndefined();
  });
});
