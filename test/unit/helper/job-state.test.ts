import { describe, expect, it } from 'vitest';
import { parseJobState, reasonText } from '../../../src/helper/job/job-state.ts';
import type { StoreEntry } from '../../../src/ports/store.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';

const job = requireJobKey('772_3');
const entry = (key: string, value: string): StoreEntry => ({ key, value });
const parse = (entries: Record<string, string>, prefix = '') =>
  parseJobState(
    prefix,
    job,
    Object.entries(entries).map(([key, value]) => entry(key, value)),
  );

describe('parseJobState', () => {
  it('reads nodes and fields of this job alone', () => {
    const state = parse({
      '/772_3/FINISH': 'FALSE',
      '/772_3/772_3_node_1/IP': '10.128.0.2',
      '/772_3/772_3_node_1/READY': 'True',
      '/772_3/772_3_node_1/PHASE': 'ready',
      '/772_30/772_30_node_1/IP': '10.1.1.1',
    });
    expect(state.finish).toBe('running');
    expect([...state.nodes.keys()]).toEqual([1]);
    expect(state.nodes.get(1)).toMatchObject({ ip: '10.128.0.2', isReady: true, phase: 'ready' });
  });

  it('respects the key prefix of the site', () => {
    expect(parse({ '/a/772_3/FINISH': 'FALSE' }, '/a').finish).toBe('running');
    expect(parse({ '/772_3/FINISH': 'FALSE' }, '/a').finish).toBe('absent');
  });

  it('reads FINISHED as FINISH, as the origin wrote it', () => {
    expect(parse({ '/772_3/FINISHED': 'FALSE' }).finish).toBe('running');
  });

  it('takes a vanished FINISH for the end of the lease', () => {
    expect(parse({ '/772_3/START': 'TRUE' })).toMatchObject({ finish: 'absent', hasStarted: true });
  });

  it('reads the command that came with START, and takes rubbish for none', () => {
    const late = { command: { kind: 'argv', argv: ['sh', '-c', 'true'] }, environment: { A: '1' } };
    const read = (start: string) => parse({ '/772_3/FINISH': 'FALSE', '/772_3/START': start });
    expect(read(JSON.stringify(late))).toMatchObject({ hasStarted: true, lateCommand: late });
    for (const start of ['TRUE', '{', '{"command":{"kind":"later"},"environment":{}}', '{"command":"sh"}'])
      expect(read(start)).toMatchObject({ hasStarted: true, lateCommand: undefined });
  });

  it.each(['{"version":1}', 'no json', '{"version":2,"token":"0"}'])('fails on the plan %s', (plan) => {
    expect(() => parse({ '/772_3/FINISH': 'FALSE', '/772_3/PLAN': plan })).toThrow(
      expect.objectContaining({ code: 'PLAN_UNREADABLE' }) as Error,
    );
  });

  it.each([
    ['the command', '0', 'command', { by: 'command', exitStatus: 0 }],
    [
      'our error',
      '75',
      'NODE_LATE: 1 of 2',
      { by: 'middleware', exitStatus: 75, code: 'NODE_LATE', message: '1 of 2' },
    ],
    ['an unknown code', '75', 'NONSENSE: x', { by: 'middleware', exitStatus: 75, code: 'BUG', message: 'x' }],
    ['no valid status', 'abc', 'command', { by: 'command', exitStatus: 70 }],
    ['a status beyond 255', '256', 'command', { by: 'command', exitStatus: 70 }],
  ])('reads the end by %s', (_, code, reason, end) => {
    expect(parse({ '/772_3/FINISH': 'TRUE', '/772_3/EXITCODE': code, '/772_3/REASON': reason }).end).toEqual(end);
  });

  it('drops what is no key of ours and what is no public key', () => {
    const state = parse({
      '/772_3/772_3_node_1/SSHPUBKEY': 'ssh-rsa AAAA',
      '/772_3/772_3_node_x/IP': '1',
    });
    expect(state.nodes.get(1)?.sshPublicKey).toBeUndefined();
    expect(state.nodes.size).toBe(1);
  });
});

describe('reasonText', () => {
  it('is one line whatever the message holds', () => {
    expect(reasonText({ by: 'middleware', exitStatus: 75, code: 'NODE_LOST', message: 'a\nb', hint: 'c' })).toBe(
      'NODE_LOST: a b c',
    );
  });
});
