import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spreadBySsh } from '../../../src/lsf/spread-by-ssh.ts';

/** Stands for ssh: notes how it was called, and ends as the host's name says. */
let directory: string;
let ssh: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spread-'));
  ssh = join(directory, 'ssh');
  writeFileSync(ssh, '#!/bin/sh\nprintf "%s\\n" "$*" >>"$0.seen"\ncase "$*" in *" bad "*) exit 7;; esac\n');
  chmodSync(ssh, 0o755);
});
afterEach(() => rmSync(directory, { recursive: true }));

const seen = (): readonly string[] => readFileSync(`${ssh}.seen`, 'utf8').trim().split('\n').toSorted();

describe('spreadBySsh', () => {
  it('asks nobody and trusts no host whose key is not known', async () => {
    expect(await spreadBySsh(ssh, ['n1', 'n2.example'], ['/bin/true', '-a', '12_3'])).toBe(0);
    expect(seen()).toHaveLength(2);
    expect(seen()[0]).toMatch(/-o BatchMode=yes -o StrictHostKeyChecking=yes .* -- n1 \/bin\/true -a 12_3$/);
  });

  it('runs the command of its own host without ssh', async () => {
    const mark = join(directory, 'mark');
    await spreadBySsh(ssh, [hostname(), 'n1'], ['/usr/bin/touch', mark]);
    expect(readFileSync(mark, 'utf8')).toBe('');
    expect(seen()).toHaveLength(1);
  });

  it('gives the status of a host that fails', async () => {
    expect(await spreadBySsh(ssh, ['n1', 'bad'], ['/bin/true'])).toBe(7);
  });

  it.each([
    [['-oProxyCommand=x'], ['/bin/true']],
    [['n1'], ['/bin/true', 'a b']],
    [['n1'], ['/bin/true', '$(id)']],
    [['n1'], ['/bin/true', '']],
  ])('refuses %j %j, which a shell at the other end would change', async (hosts, argv) => {
    await expect(spreadBySsh(ssh, hosts, argv)).rejects.toMatchObject({ code: 'USAGE' });
  });
});
