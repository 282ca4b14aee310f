import { describe, expect, test } from 'vitest';
import { parseSshArguments } from '../../../src/discovery/relay/parse-ssh-arguments.ts';

const run = (host: string, command?: string, user?: string, withoutInput = false) => ({
  kind: 'run',
  withoutInput,
  inBackground: false,
  notes: [],
  request: { host, user, command },
});

const noX11 = (flag: string): string => `no X11 forwarding inside a job: -${flag} is ignored`;

describe('parseSshArguments', () => {
  test.each([
    // Open MPI, Hydra and rsync call it like this.
    [['-x', '772-node-1', ' orted -mca ess "env"'], run('772-node-1', ' orted -mca ess "env"')],
    [
      ['-x', 'h', '"/usr/bin/hydra_pmi_proxy" --control-port a:1', '--rmk user'],
      run('h', '"/usr/bin/hydra_pmi_proxy" --control-port a:1 --rmk user'),
    ],
    [['-l', 'ann', 'h', 'rsync', '--server', '.'], run('h', 'rsync --server .', 'ann')],
    [['h'], run('h')],
    [['ann@h', 'id'], run('h', 'id', 'ann')],
    [['-lbob', 'ann@h', 'id'], run('h', 'id', 'bob')],
    [['-qxTn', 'h', 'id'], run('h', 'id', undefined, true)],
    [
      [
        '-o',
        'BatchMode=yes',
        '-oStrictHostKeyChecking=no',
        '-p',
        '22',
        '-i',
        'key',
        '-F',
        'none',
        '-tt',
        '-vvv',
        'h',
        'id',
      ],
      run('h', 'id'),
    ],
    [['h', '-n', 'id', '-x'], run('h', 'id -x', undefined, true)],
    [['h', '--', '-id'], run('h', '-id')],
    [['--', 'h', '-id'], run('h', '-id')],
    [['ssh://ann@h:22', 'id'], run('h', 'id', 'ann')],
    [['h', 'id', '--', 'x'], run('h', 'id -- x')],
    [['-V'], { kind: 'version' }],
    [['-f', 'h', 'id'], { ...run('h', 'id', undefined, true), inBackground: true }],
    [['-qA', 'h', 'id'], { ...run('h', 'id'), notes: ['no agent forwarding inside a job: -A is ignored'] }],
    [['-X', 'h', '-Y'], { ...run('h'), notes: [noX11('X'), noX11('Y')] }],
  ])('reads %j as OpenSSH does', (args, expected) => {
    expect(parseSshArguments(args)).toEqual(expected);
  });

  test.each([
    [[], 'no host is named'],
    [['-x'], 'no host is named'],
    [['--'], 'no host is named'],
    [['-l'], 'option -l needs a value'],
    [['--nodelist=n1', '-N', '1', 'proxy'], '--nodelist is no option of ssh: inside a job mpirun and mpiexec start'],
    [['-L', '1:a:2', 'h'], 'option -L is not offered inside a job'],
    [['-R', '1:a:2', 'h'], 'option -R'],
    [['-D', '1', 'h'], 'option -D'],
    [['-W', 'a:1', 'h'], 'option -W'],
    [['-J', 'jump', 'h'], 'option -J'],
    [['-N', 'h'], 'option -N'],
    [['--help'], '--help is no option of ssh'],
    [[''], 'no host is named'],
  ])('refuses %j', (args, reason) => {
    expect(parseSshArguments(args)).toEqual({ kind: 'refused', reason: expect.stringContaining(reason) as string });
  });
});
