import { describe, expect, it } from 'vitest';
import { layOut } from '../../../lab/layout.ts';
import { parseArrayName } from '../../../lab/lsf/array-name.ts';
import { parseBsubOptions } from '../../../lab/lsf/bsub-options.ts';
import { readDirectives, splitWords } from '../../../lab/lsf/bsub-script.ts';
import { chooseHosts } from '../../../lab/lsf/choose-hosts.ts';
import { renderJobFile } from '../../../lab/lsf/job-file.ts';
import { renderConfig } from '../../../lab/lsf/lsf-files.ts';
import { parseControls, parseMinutes, parseQueues } from '../../../lab/lsf/queues.ts';

const three = ['node1', 'node2', 'node3'].map((name) => ({ name, free: 2 }));

describe('chooseHosts', () => {
  it.each([
    [3, 'span[ptile=1]', 'node1 1 node2 1 node3 1'],
    [4, 'span[ptile=2]', 'node1 2 node2 2'],
    [2, 'select[type==any] span[hosts=1]', 'node1 2'],
    [5, undefined, 'node3 1 node2 2 node1 2'],
    [6, undefined, 'node1 2 node2 2 node3 2'],
  ])('gives %i slots with %s', (slots, resReq, expected) => {
    const shares = chooseHosts(three, { minSlots: slots, maxSlots: slots, resReq }, 0);
    expect(shares?.map(({ host, slots: count }) => `${host} ${count}`).join(' ')).toBe(expected);
  });

  it.each([
    [7, undefined],
    [4, 'span[ptile=1]'],
    [3, 'span[hosts=1]'],
  ])('lets a job of %i slots with %s wait', (slots, resReq) => {
    expect(chooseHosts(three, { minSlots: slots, maxSlots: slots, resReq }, 0)).toBeUndefined();
  });

  it('does not always begin with the same host', () => {
    const first = (turn: number) => chooseHosts(three, { minSlots: 1, maxSlots: 1 }, turn)?.[0]?.host;
    expect([first(0), first(1), first(2)]).toEqual(['node1', 'node2', 'node3']);
  });
});

describe('bsub', () => {
  it.each([
    [['-app', 'x', 'run'], 'pp', ['x', 'run']],
    [['-a', 'one two', '-K', 'run', '-n', '3'], 'one two', ['run', '-n', '3']],
  ])('reads %j as getopt would', (argv, additional, words) => {
    expect(parseBsubOptions(argv)).toMatchObject({ request: { additional, minSlots: 1 }, words });
  });

  it.each([[['-Z', 'x']], [['-n']], [['-n', 'x', 'true']], [['-W', 'x', 'true']]])('refuses %j', (argv) => {
    expect(() => parseBsubOptions(argv)).toThrow();
  });

  it('reads the options of a script as a shell would split them', () => {
    const script =
      '#!/bin/sh\n#BSUB -J "a b" -n 8 # slots\n  #BSUB -R \'span[ptile=2]\'\n##BSUB -q no\necho #BSUB -q no\n';
    expect(readDirectives(script)).toEqual(['-J', 'a b', '-n', '8', '-R', 'span[ptile=2]']);
    expect(splitWords('a\\ b "c\\"d" e"f g"')).toEqual(['a b', 'c"d', 'ef g']);
  });

  it.each([
    ['arr[1-3:2]', { indices: [1, 3], step: 2, end: 3 }],
    ['arr[1-2,7]', { indices: [1, 2, 7], step: 1, end: 7 }],
    ['plain', undefined],
  ])('reads the job name %s', (name, array) => {
    expect(parseArrayName(name)).toEqual(array);
  });

  it.each(['arr[0]', 'arr[3-1]', 'arr[1-]', 'arr[1-99999]'])('refuses the job name %s', (name) => {
    expect(() => parseArrayName(name)).toThrow('Bad job name');
  });
});

describe('the job file', () => {
  it('is the recorded one', () => {
    expect(renderJobFile('sleep 1')).toBe(
      '#! /bin/sh\n$LSB_TRAPSIGS\n$LSB_RCP1\n$LSB_RCP2\n$LSB_RCP3\n# LSBATCH: User input\nsleep 1\nExitStat=$?\nwait\n' +
        '# LSBATCH: End user input\ntrue\nexit `expr $? "|" $ExitStat`\n',
    );
  });

  it.each([
    ['/s echo "hi  there" $(hostname); echo two', 'echo "hi  there" $(hostname); echo two', '/s'],
    ['/s "a b" more', 'a b', '/s "%USRCMD" more'],
    ['true # /s', 'true # /s', '/s'],
  ])('holds %s', (line, command, starter) => {
    expect(renderJobFile(command, starter)).toContain(`\n${line}\n`);
  });
});

describe('lsb.queues', () => {
  it('is read section by section; unknown keywords are ignored', () => {
    const text =
      'Begin Queue\nQUEUE_NAME = a\nMAX_PREEXEC_RETRY = 3\nHOST_PRE_EXEC = x\nREQUEUE_EXIT_VALUES = 99 30\nEnd Queue\n\nBegin Queue\nQUEUE_NAME=b\nRUNLIMIT = 1:30\nEnd Queue\n';
    expect(parseQueues(text)).toMatchObject([
      { name: 'a', requeueValues: [99, 30], hostPreExec: 'x' },
      { name: 'b', runLimit: 90 },
    ]);
  });

  it('tells signals from commands in JOB_CONTROLS', () => {
    expect(parseControls('SUSPEND[SIGUSR1] TERMINATE[/bin/kill-it now]')).toEqual({
      SUSPEND: { kind: 'signal', signal: 'SIGUSR1' },
      TERMINATE: { kind: 'command', text: '/bin/kill-it now' },
    });
  });

  it.each([
    ['5', 5],
    ['00:05', 5],
    ['1:30/node1', 90],
  ])('reads %s as minutes', (text, minutes) => {
    expect(parseMinutes(text)).toBe(minutes);
  });
});

describe('the configuration of a lab', () => {
  it.each([1, 3, 8])("has room for the slides' job of 8 slots on %i hosts", (hosts) => {
    const { 'standin.hosts': table = '' } = renderConfig(layOut({ name: 'lab', hosts, etcdMembers: 1, lsf: 'plain' }));
    const slots = table
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[3]));
    expect(slots.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(8);
  });
});
